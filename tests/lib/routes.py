"""Every route that the official Python SDKs know, read from their source: a
set of (method, path) for each surface. {names} in paths stay."""

import ast
import importlib.util
import re
from pathlib import Path

CALL = re.compile(
    r'self\._(get_api_list|get|post|put|patch|delete)\(\s*'
    r'(?:path_template\(\s*)?f?"(/[^"]*)"')
GENERATED = re.compile(
    r'method="([A-Z]+)",\s*path="((?:/upload)?/\{api_version\}[^"]*)"')

# What stands for a {name} of Google's, by the module that says it.
NAMES = {"batches": "batches", "caches": "cachedContents",
         "tunings": "tunedModels", "operations": "operations",
         "file_search_stores": "fileSearchStores", "files": "files",
         "documents": "fileSearchStores/x/documents", "models": "models"}


def source(package):
    return Path(importlib.util.find_spec(package).origin).parent


def from_resources(package, root):
    """Those of an SDK that calls self._post("/path", …)."""
    found = set()
    for f in sorted((source(package) / "resources").rglob("*.py")):
        for verb, path in CALL.findall(f.read_text(encoding="utf-8")):
            method = "GET" if verb == "get_api_list" else verb.upper()
            found.add((method, root + path))
    return found


def openai():
    return from_resources("openai", "/v1")


def anthropic():
    return from_resources("anthropic", "")


def paths_of(function):
    """Texts that a function takes for its path."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id in ("path", "endpoint_url")
                for t in node.targets) and \
                isinstance(node.value, ast.Constant):
            yield node.value.value


def methods_of(function):
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and \
                isinstance(node.func, ast.Attribute) and \
                "request" in node.func.attr and node.args and \
                isinstance(node.args[0], ast.Constant) and \
                node.args[0].value in ("get", "post", "patch", "delete",
                                       "put"):
            yield node.args[0].value.upper()


def whole(path, module):
    """Below the version, with what a {name} of this module is."""
    path = re.sub(r"\{+api_version\}+", "v1beta", path)
    path = path.replace("{models_url}", "models")
    name = NAMES.get(module, "operations")
    path = re.sub(r"^\{(name|operationName|resourceName|parent)\}",
                  name + "/x", path)
    path = re.sub(r"\{model\}", "models/{model}", path)
    path = re.sub(r"\{(file_search_store_name)\}", "fileSearchStores/x", path)
    return "/" + path if path.startswith("upload/") else "/v1beta/" + path


def gemini():
    found = set()
    top = source("google.genai")
    for f in sorted(top.glob("*.py")):
        for node in ast.walk(ast.parse(f.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for method in methods_of(node):
                    found |= {(method, whole(p, f.stem))
                              for p in paths_of(node) if p.strip("/")}
    for f in sorted(top.glob("_*/*.py")):
        for method, path in GENERATED.findall(f.read_text(encoding="utf-8")):
            found.add((method, path.replace("{api_version}", "v1beta")))
    return found


SURFACES = {"openai": openai, "anthropic": anthropic, "gemini": gemini}
