#!/usr/bin/env python3
"""Make policy/catalog.json from the data of models.dev.

    tools/catalog.py providers.json models.json > policy/catalog.json

The two inputs are models.dev's providers and models as lists of rows, each
file with the head {"source", "commit", "date", "price_unit", "rows"}. The
output has one row a line, ordered by name, so that a change of facts reads
as a diff. Prices become decimal strings, rounded once to the nano-dollar;
what is missing in models.dev stands in the tables below.
"""
import decimal
import json
import re
import sys

# The dialect that an SDK package of models.dev speaks.
DIALECTS = {
    "@ai-sdk/openai-compatible": "openai",
    "@ai-sdk/openai": "openai",
    "@ai-sdk/anthropic": "anthropic",
    "@ai-sdk/google": "gemini",
    "@ai-sdk/google-vertex": "gemini",
    "@ai-sdk/google-vertex/anthropic": "anthropic",
    "@ai-sdk/amazon-bedrock": "bedrock",
    "@ai-sdk/amazon-bedrock/mantle": "responses",
    "@ai-sdk/azure": "openai",
    "@ai-sdk/cerebras": "openai",
    "@ai-sdk/cohere": "cohere",
    "@ai-sdk/deepinfra": "openai",
    "@ai-sdk/gateway": "openai",
    "@ai-sdk/groq": "openai",
    "@ai-sdk/mistral": "openai",
    "@ai-sdk/perplexity": "openai",
    "@ai-sdk/togetherai": "openai",
    "@ai-sdk/vercel": "openai",
    "@ai-sdk/xai": "openai",
    "@aihubmix/ai-sdk-provider": "openai",
    "@openrouter/ai-sdk-provider": "openai",
    "ai-gateway-provider": "openai",
    "merge-gateway-ai-sdk-provider": "openai",
    "venice-ai-sdk-provider": "openai",
    # No public API of a known dialect: an address of the customer's own
    # behind OAuth (SAP), an internal proxy (GitLab).
    "@jerome-benoit/sap-ai-provider-v2": "",
    "gitlab-ai-provider": "",
}

VERTEX = ("https://${region}-aiplatform.googleapis.com/v1/projects/"
          "${project}/locations/${region}/publishers/")

# The address where models.dev leaves it to an SDK, or has one that is for chat
# only (novita.ai/docs/api-reference, read 2026-11).
BASE_URLS = {
    "aihubmix": "https://aihubmix.com/v1",
    "amazon-bedrock": "https://bedrock-runtime.${region}.amazonaws.com",
    "anthropic": "https://api.anthropic.com",
    "azure": "https://${AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1",
    "azure-cognitive-services":
        "https://${AZURE_COGNITIVE_SERVICES_RESOURCE_NAME}"
        ".cognitiveservices.azure.com/openai/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "cloudflare-ai-gateway":
        "https://api.cloudflare.com/client/v4/accounts/"
        "${CLOUDFLARE_ACCOUNT_ID}/ai/v1",
    "cohere": "https://api.cohere.com",
    "deepinfra": "https://api.deepinfra.com/v1/openai",
    "google": "https://generativelanguage.googleapis.com/v1beta",
    "google-vertex": VERTEX + "google",
    "google-vertex-anthropic": VERTEX + "anthropic",
    "groq": "https://api.groq.com/openai/v1",
    "merge-gateway": "https://api-gateway.merge.dev/v1",
    "mistral": "https://api.mistral.ai/v1",
    "novita-ai": "https://api.novita.ai/openai/v1",
    "openai": "https://api.openai.com/v1",
    "perplexity": "https://api.perplexity.ai",
    "togetherai": "https://api.together.xyz/v1",
    "v0": "https://api.v0.dev/v1",
    "venice": "https://api.venice.ai/api/v1",
    "vercel": "https://ai-gateway.vercel.sh/v1",
    "xai": "https://api.x.ai/v1",
}

# Variables that are fields of the policy's own provider row.
VARIABLES = {
    "${AWS_REGION}": "${region}",
    "${GOOGLE_VERTEX_ENDPOINT}": "${region}-aiplatform.googleapis.com",
    "${GOOGLE_VERTEX_LOCATION}": "${region}",
    "${GOOGLE_VERTEX_PROJECT}": "${project}",
}

# Other names that people use for a provider.
ALIASES = {
    "alibaba": ["dashscope", "qwen"],
    "amazon-bedrock": ["bedrock"],
    "azure": ["azure-openai"],
    "cloudflare-workers-ai": ["cloudflare", "workers-ai"],
    "fireworks-ai": ["fireworks"],
    "google": ["gemini"],
    "google-vertex": ["vertex"],
    "google-vertex-anthropic": ["vertex-anthropic"],
    "llamacpp": ["llama.cpp"],
    "moonshotai": ["moonshot"],
    "novita-ai": ["novita"],
    "snowflake-cortex": ["snowflake"],
    "togetherai": ["together"],
    "vercel": ["vercel-gateway"],
    "zhipuai": ["zhipu"],
}

# Providers that models.dev lacks: servers of one's own, and some more.
MORE = [
    ("ai21", "AI21 Labs", "https://api.ai21.com/studio/v1", "AI21_API_KEY",
     "https://docs.ai21.com"),
    ("hyperbolic", "Hyperbolic", "https://api.hyperbolic.xyz/v1",
     "HYPERBOLIC_API_KEY", "https://docs.hyperbolic.xyz"),
    ("jina", "Jina AI", "https://api.jina.ai/v1", "JINA_API_KEY",
     "https://jina.ai/embeddings"),
    ("llamacpp", "llama.cpp server", "http://127.0.0.1:8080/v1", "",
     "https://github.com/ggml-org/llama.cpp/tree/master/tools/server"),
    ("localai", "LocalAI", "http://127.0.0.1:8080/v1", "",
     "https://localai.io"),
    ("ollama", "Ollama", "http://127.0.0.1:11434/v1", "",
     "https://docs.ollama.com/api/openai-compatibility"),
    ("sambanova", "SambaNova", "https://api.sambanova.ai/v1",
     "SAMBANOVA_API_KEY", "https://docs.sambanova.ai"),
    ("sglang", "SGLang", "http://127.0.0.1:30000/v1", "",
     "https://docs.sglang.ai"),
    ("vllm", "vLLM", "http://127.0.0.1:8000/v1", "", "https://docs.vllm.ai"),
    ("voyage", "Voyage AI", "https://api.voyageai.com/v1", "VOYAGE_API_KEY",
     "https://docs.voyageai.com"),
    ("writer", "Writer", "https://api.writer.com/v1", "WRITER_API_KEY",
     "https://dev.writer.com"),
]

# Models of embeddings that models.dev lacks: USD a million input tokens, and the
# longest input. Read 2026-11, of the makers' own pages: docs.voyageai.com/docs/
# pricing and /docs/embeddings, docs.perplexity.ai/docs/embeddings; of a reseller
# without a markup: openrouter.ai (Titan). Those of Cohere, of Google and of
# Voyage's newest are as others list them: the makers' pages were not read.
EMBEDDINGS = [
    ("amazon-bedrock", "amazon.titan-embed-text-v1",
     "Titan Embeddings G1 - Text", "0.1", 8192),
    ("amazon-bedrock", "amazon.titan-embed-text-v2:0",
     "Titan Text Embeddings V2", "0.02", 8192),
    ("amazon-bedrock", "cohere.embed-english-v3", "Embed English v3", "0.1",
     512),
    ("amazon-bedrock", "cohere.embed-multilingual-v3",
     "Embed Multilingual v3", "0.1", 512),
    ("amazon-bedrock", "cohere.embed-v4:0", "Embed v4", "0.12", 128000),
    ("cohere", "embed-english-light-v3.0", "Embed English Light v3", "0.1",
     512),
    ("cohere", "embed-english-v3.0", "Embed English v3", "0.1", 512),
    ("cohere", "embed-multilingual-light-v3.0",
     "Embed Multilingual Light v3", "0.1", 512),
    ("cohere", "embed-multilingual-v3.0", "Embed Multilingual v3", "0.1",
     512),
    ("cohere", "embed-v4.0", "Embed v4", "0.12", 128000),
    ("google", "gemini-embedding-2", "Gemini Embedding 2", "0.2", 8192),
    ("google-vertex", "gemini-embedding-2", "Gemini Embedding 2", "0.2",
     8192),
    ("perplexity", "pplx-embed-v1-0.6b", "Perplexity Embed v1 0.6B", "0.004",
     32000),
    ("perplexity", "pplx-embed-v1-4b", "Perplexity Embed v1 4B", "0.03",
     32000),
    ("voyage", "voyage-3", "Voyage 3", "0.06", 32000),
    ("voyage", "voyage-3-large", "Voyage 3 Large", "0.18", 32000),
    ("voyage", "voyage-3-lite", "Voyage 3 Lite", "0.02", 32000),
    ("voyage", "voyage-3.5", "Voyage 3.5", "0.06", 32000),
    ("voyage", "voyage-3.5-lite", "Voyage 3.5 Lite", "0.02", 32000),
    ("voyage", "voyage-4", "Voyage 4", "0.06", 32000),
    ("voyage", "voyage-4-large", "Voyage 4 Large", "0.12", 32000),
    ("voyage", "voyage-4-lite", "Voyage 4 Lite", "0.02", 32000),
    ("voyage", "voyage-code-2", "Voyage Code 2", "0.12", 16000),
    ("voyage", "voyage-code-3", "Voyage Code 3", "0.18", 32000),
    ("voyage", "voyage-finance-2", "Voyage Finance 2", "0.12", 32000),
    ("voyage", "voyage-law-2", "Voyage Law 2", "0.12", 16000),
    ("voyage", "voyage-multilingual-2", "Voyage Multilingual 2", "0.12",
     32000),
]

# Models that make images and speech, which models.dev lacks or has without a
# price: USD a million tokens or characters, or an image. What depends on size or
# quality stands with the dearest that can be asked for, as a price here is one
# number. Read 2026-11 of the makers' own pages: gpt-image-1-mini,
# gpt-image-2.6-sunburst and gpt-4o-mini-tts (developers.openai.com/api/docs/models/
# NAME), grok-imagine-image (docs.x.ai/developers/model-capabilities/images, where
# it also says that images which are sent are billed, and not how much). Imagen's
# are those of ai.google.dev/gemini-api/docs/pricing as quoted in
# discuss.ai.google.dev/t/101173 (2025). Those of gpt-image-1 and 1.5 are as
# burncloud.com and llmreference.com have them (2026-05). That of
# grok-imagine-image-quality is what a recorded answer of 2026 told. The rest, and
# what xAI bills for images that are sent, is as generally known: nobody's page was
# read for it.
MEDIA = [
    ("amazon-bedrock", "amazon.nova-canvas-v1:0", "Nova Canvas",
     {"image": "0.08"}),
    ("amazon-bedrock", "amazon.titan-image-generator-v2:0",
     "Titan Image Generator G1 v2", {"image": "0.012"}),
    ("google", "imagen-4.0-fast-generate-001", "Imagen 4 Fast",
     {"image": "0.02"}),
    ("google", "imagen-4.0-generate-001", "Imagen 4", {"image": "0.04"}),
    ("google", "imagen-4.0-ultra-generate-001", "Imagen 4 Ultra",
     {"image": "0.06"}),
    ("google-vertex", "imagen-4.0-fast-generate-001", "Imagen 4 Fast",
     {"image": "0.02"}),
    ("google-vertex", "imagen-4.0-generate-001", "Imagen 4",
     {"image": "0.04"}),
    ("google-vertex", "imagen-4.0-ultra-generate-001", "Imagen 4 Ultra",
     {"image": "0.06"}),
    ("openai", "chatgpt-image-latest", "chatgpt-image-latest",
     {"input": "5", "output": "32", "cached_input": "1.25",
      "image_input": "8"}),
    ("openai", "dall-e-2", "DALL-E 2", {"image": "0.02"}),
    ("openai", "dall-e-3", "DALL-E 3", {"image": "0.12"}),
    ("openai", "gpt-4o-mini-tts", "GPT-4o mini TTS",
     {"input": "0.6", "audio_output": "12"}),
    ("openai", "gpt-image-1", "gpt-image-1",
     {"input": "5", "output": "40", "cached_input": "1.25",
      "image_input": "10"}),
    ("openai", "gpt-image-1-mini", "gpt-image-1-mini",
     {"input": "2", "output": "8", "cached_input": "0.2",
      "image_input": "2.5"}),
    ("openai", "gpt-image-1.5", "gpt-image-1.5",
     {"input": "5", "output": "32", "cached_input": "1.25",
      "image_input": "8"}),
    ("openai", "gpt-image-2.6-sunburst", "GPT Image 2.6 Sunburst",
     {"input": "5", "output": "30", "cached_input": "1.25",
      "image_input": "8"}),
    ("openai", "tts-1", "TTS-1", {"characters": "15"}),
    ("openai", "tts-1-hd", "TTS-1 HD", {"characters": "30"}),
    ("xai", "grok-imagine-image", "Grok Imagine Image",
     {"image": "0.02", "sent_image": "0.002"}),
    ("xai", "grok-imagine-image-quality", "Grok Imagine Image Quality",
     {"image": "0.07", "sent_image": "0.01"}),
]

# What models.dev has no word for: USD a million tokens of images that are sent.
# That of gpt-image-2 is as robotsatlas.com/ai-models/chatgpt-images-2-0 has it
# (read 2026-11), of the maker's list; Azure sells at OpenAI's prices.
IMAGE_INPUT = {
    ("azure", "gpt-image-1"): "10",
    ("azure", "gpt-image-1.5"): "8",
    ("azure", "gpt-image-2"): "8",
    ("openai", "gpt-image-2"): "8",
}

# Models that rank, moderate or hear, which models.dev lacks or has without a price:
# title, rates in USD (tokens by the million, a search each), longest input,
# what they read. Voyage's as vercel.com/ai-gateway/models/rerank-2.5 and
# getmaxim.ai have them (read 2026-11). Those of Cohere and Amazon (2 and 1 USD a
# thousand searches), OpenAI (moderation is free) and Mistral are as generally known;
# their own pages were not read, and cohere.com/pricing is said to name none by now.
# OpenAI's speech to text as developers.openai.com/api/docs/models/
# gpt-4o-transcribe.md and gpt-4o-mini-transcribe have it (read 2026-11): audio
# tokens cost as all input.
OTHERS = [
    ("amazon-bedrock", "amazon.rerank-v1:0", "Amazon Rerank 1.0",
     {"input": "0", "output": "0", "search": "0.001"}, 4096, "text_in"),
    ("amazon-bedrock", "cohere.rerank-v3-5:0", "Rerank 3.5",
     {"input": "0", "output": "0", "search": "0.002"}, 4096, "text_in"),
    ("cohere", "rerank-english-v3.0", "Rerank English 3.0",
     {"input": "0", "output": "0", "search": "0.002"}, 4096, "text_in"),
    ("cohere", "rerank-multilingual-v3.0", "Rerank Multilingual 3.0",
     {"input": "0", "output": "0", "search": "0.002"}, 4096, "text_in"),
    ("cohere", "rerank-v3.5", "Rerank 3.5",
     {"input": "0", "output": "0", "search": "0.002"}, 4096, "text_in"),
    ("mistral", "mistral-moderation-latest", "Mistral Moderation",
     {"input": "0.1", "output": "0"}, 8192, "text_in"),
    ("openai", "gpt-4o-mini-transcribe", "GPT-4o mini Transcribe",
     {"input": "1.25", "output": "5"}, 16000, "audio_in"),
    ("openai", "gpt-4o-transcribe", "GPT-4o Transcribe",
     {"input": "2.5", "output": "10"}, 16000, "audio_in"),
    ("openai", "whisper-1", "Whisper", {"second": "0.0001"}, 0, "audio_in"),
    ("openai", "omni-moderation-latest", "Omni Moderation",
     {"input": "0", "output": "0"}, 32768, "text_in image_in"),
    ("openai", "text-moderation-latest", "Text Moderation",
     {"input": "0", "output": "0"}, 32768, "text_in"),
    ("voyage", "rerank-2", "Voyage Rerank 2",
     {"input": "0.05", "output": "0"}, 16000, "text_in"),
    ("voyage", "rerank-2-lite", "Voyage Rerank 2 Lite",
     {"input": "0.02", "output": "0"}, 8000, "text_in"),
    ("voyage", "rerank-2.5", "Voyage Rerank 2.5",
     {"input": "0.05", "output": "0"}, 32000, "text_in"),
    ("voyage", "rerank-2.5-lite", "Voyage Rerank 2.5 Lite",
     {"input": "0.02", "output": "0"}, 32000, "text_in"),
]

# Further names that a provider's own SDK or documentation has for its key.
MORE_ENV = {
    "azure": ["AZURE_OPENAI_API_KEY"],
    "cloudflare-workers-ai": ["CLOUDFLARE_API_TOKEN"],
    "cohere": ["CO_API_KEY"],
    "google": ["GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"],
    "huggingface": ["HUGGING_FACE_HUB_TOKEN"],
    "zai": ["ZAI_API_KEY"],
    "zai-coding-plan": ["ZAI_API_KEY"],
    "zhipuai": ["ZHIPUAI_API_KEY"],
    "zhipuai-coding-plan": ["ZHIPUAI_API_KEY"],
}

# Servers of one's own that models.dev has: they ask for no key by default.
LOCAL = {"atomic-chat", "lmstudio", "privatemode-ai"}

# How a key is sent: of the dialect, unless the provider has its own way.
DIALECT_AUTH = {
    "anthropic": {"auth": "header", "auth_header": "x-api-key"},
    "gemini": {"auth": "header", "auth_header": "x-goog-api-key"},
    "bedrock": {"auth": "sigv4"},
}
PROVIDER_AUTH = {
    "azure": {"auth": "header", "auth_header": "api-key"},
    "azure-cognitive-services": {"auth": "header", "auth_header": "api-key"},
    "google-vertex": {"auth": "google"},
    "google-vertex-anthropic": {"auth": "google"},
}

# Mistral and the Bedrock models of Databricks refuse stream_options (both
# report usage without it).
NO_STREAM_OPTIONS = {"databricks", "mistral"}
# These know max_tokens and max_completion_tokens alike. All others of the
# OpenAI dialect are taken to know max_tokens and the role system only
# (DeepSeek, for one, ignores max_completion_tokens silently and refuses the
# role developer) ...
KNOWS_BOTH = {"baseten", "cerebras", "github-copilot", "groq",
              "merge-gateway", "openrouter", "vercel", "xai"}
# ... but OpenAI itself, whose reasoning models refuse max_tokens, whoever
# sells them on.
MAX_COMPLETION = {"azure", "azure-cognitive-services", "openai"}
OPENAI_REASONING = re.compile(r"(^|[/:])(openai[-.])?(gpt-5|o[134](-|$))")
OPENAI_MODEL = re.compile(r"^(gpt-|o[134](-|$)|codex|chatgpt|model-router)")
# OpenAI serves these by its Responses API only.
RESPONSES_ONLY = re.compile(
    r"^((gpt-5[^/]*|o1|o3)-pro|.*codex.*|.*deep-research|computer-use.*)$")

# Bits that whole providers have, from their documentation and from what they
# answer. Mistral checks every member and every id of a call; Groq and Cerebras
# refuse what clients give back of an answer; the makers of DeepSeek, Kimi, GLM
# and MiMo switch thinking by an object and want it back with calls; Alibaba
# switches it by a flag; at Perplexity the two sides must take turns. Images
# have an address of their own at OpenRouter (openrouter.ai/docs) and another
# form of sizes at Together (docs.together.ai/reference/post-images-generations);
# xAI knows ratios only (as told in docs.crazyrouter.com/images/grok, read 2026-11).
# Words that begin with embed tell of embeddings: what OpenAI refuses, how others
# depart. DeepInfra reranks in a form of its own (deepinfra.com/Qwen/
# Qwen3-Reranker-0.6B/api, read 2026-11).
PROVIDER_QUIRKS = [
    (r"mistral", "random_seed short_ids plain_turns embed_mistral"),
    (r"openai|azure(-cognitive-services)?", "embed_strict"),
    (r"voyage", "embed_voyage"),
    (r"groq|cerebras", "plain_turns"),
    (r"deepseek|moonshotai(-cn)?|kimi-for-coding|(zai|zhipuai)"
     r"(-coding-plan)?|xiaomi(-.*)?", "reasoning_back thinking_type"),
    (r"alibaba(-.*)?", "enable_thinking"),
    (r"perplexity", "take_turns embed_bytes"),
    (r"openrouter", "images_path"),
    (r"togetherai", "image_pixels"),
    (r"xai", "image_ratio"),
    (r"deepinfra", "rerank_pairs"),
    (r"fireworks-ai", "image_workflow"),
]
# And single models: Alibaba's first Qwen3 think in streams only, and refuse
# another answer unless told not to think; most of xAI's think as they like.
MODEL_QUIRKS = [
    (r"alibaba(-cn)?", r"qwen3-[0-9.]+b(-a[0-9]+b)?", "streamed_thinking"),
    (r"xai", r"(?!grok-(3-mini|4\.3|4\.[5-9]|4\.20-multi-agent)).*",
     "no_effort"),
]

# What models.dev calls a price, and what it is here.
PRICES = {
    "input": "input",
    "output": "output",
    "cache_read": "cached_input",
    "cache_input": "cached_input",
    "cached_input": "cached_input",
    "cache_write": "cache_write",
    "cached_write": "cache_write",
    "reasoning": "reasoning",
    "input_audio": "audio_input",
    "output_audio": "audio_output",
}
# Prices a row of these may have that are not for a token counted here: of
# citations (they come as input), of image tokens, and per thousand searches.
NO_PRICES = {"citation", "image", "request", "tiers"}
# Fees a request or a search, in USD, which models.dev lacks or has per
# thousand. Perplexity's are those of its default, a low search context.
FEES = {
    ("perplexity", "sonar"): {"request": "0.005"},
    ("perplexity", "sonar-pro"): {"request": "0.006"},
    ("perplexity", "sonar-reasoning-pro"): {"request": "0.006"},
    ("perplexity", "sonar-deep-research"): {"search": "0.005"},
}
ANTHROPIC_SEARCH = "0.01"
# Who sells Claude at Anthropic's own scheme, in which writing the cache for
# an hour costs twice the input.
ANTHROPIC_SCHEME = {"amazon-bedrock", "anthropic", "azure",
                    "azure-cognitive-services", "google-vertex",
                    "google-vertex-anthropic"}

CAPS = {"tool_call": "tools", "reasoning": "reasoning",
        "structured_output": "structured", "attachment": "attachment",
        "open_weights": "open_weights"}


def price(value):
    """A decimal string without noise: 0.30000000000000004 is 0.3."""
    number = decimal.Decimal(repr(value)).quantize(
        decimal.Decimal("1e-9"), decimal.ROUND_HALF_UP)
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def rates(cost, anthropic):
    """The rates of a price or of one of its tiers."""
    out = {}
    for name, value in cost.items():
        if name in PRICES:
            out[PRICES[name]] = price(value)
        elif name not in NO_PRICES and name != "tier":
            sys.exit("unknown price: " + name)
    if anthropic and "cache_write" in out:
        hour = decimal.Decimal(out["input"]) * 2
        if decimal.Decimal(out["cache_write"]) < hour:
            out["cache_write_1h"] = price(float(hour))
    return out


def model_price(row):
    cost = row.get("cost")
    if cost is None:
        return None
    anthropic = (row["provider"] in ANTHROPIC_SCHEME and "claude" in row["id"])
    out = rates(cost, anthropic)
    out.update(FEES.get((row["provider"], row["id"]), {}))
    if (row["provider"], row["id"]) in IMAGE_INPUT:
        out["image_input"] = IMAGE_INPUT[row["provider"], row["id"]]
    if row["provider"] == "anthropic":
        out["search"] = ANTHROPIC_SEARCH
    tiers = [dict({"above": tier["tier"]["size"]}, **rates(tier, anthropic))
             for tier in cost.get("tiers", [])]
    if tiers:
        out["tiers"] = sorted(tiers, key=lambda tier: tier["above"])
    return out


def base_url(url, adapter):
    """As the dialect's official SDK takes it, without a slash at the end."""
    for name, value in VARIABLES.items():
        url = url.replace(name, value)
    url = url.rstrip("/").removesuffix("/chat/completions")
    if adapter == "anthropic":
        url = url.removesuffix("/v1")
    return url


def quirks(provider, adapter, model=""):
    out = []
    if adapter == "anthropic" and provider.startswith("google-vertex"):
        out.append("raw_predict")
    if adapter != "openai":
        return out
    if provider in NO_STREAM_OPTIONS:
        out.append("no_stream_options")
    completion = (provider in MAX_COMPLETION
                  and (not model or OPENAI_MODEL.match(model)))
    if completion or OPENAI_REASONING.search(model):
        out.append("max_completion")
    elif provider not in KNOWS_BOTH:
        out.append("max_tokens")
    for names, words in PROVIDER_QUIRKS:
        if re.fullmatch(names, provider):
            out += words.split()
    for names, models, word in MODEL_QUIRKS:
        if model and re.fullmatch(names, provider) \
                and re.fullmatch(models, model):
            out.append(word)
    return out


def wire(provider, adapter, url, model=""):
    """Where and how a provider or a model of it is spoken to."""
    out = {"adapter": adapter}
    if adapter:
        out["base_url"] = base_url(url, adapter)
        out.update(PROVIDER_AUTH.get(provider) or
                   DIALECT_AUTH.get(adapter, {"auth": "bearer"}))
        out["quirks"] = " ".join(quirks(provider, adapter, model))
    return out


def key_names(provider, names):
    """The environment names that may hold the key, in the order in which
    they are looked at."""
    for name in names:
        if re.search(r"KEY|TOKEN|PAT$|CREDENTIALS", name):
            return " ".join([name] + MORE_ENV.get(provider, []))
    return ""


def provider_row(row):
    name = row["id"]
    adapter = DIALECTS[row["package"]]
    if row["package"] == "@ai-sdk/openai" and name == "perplexity-agent":
        adapter = "responses"
    url = BASE_URLS.get(name, row["api"])
    if adapter and not url:
        sys.exit(name + ": no base_url")
    out = {"name": name, "title": row["name"].strip()}
    out.update(wire(name, adapter, url))
    if name in LOCAL:
        out["auth"] = "none"
    out["env"] = key_names(name, row["env"])
    out["doc"] = row["doc"]
    return out


def more_row(name, title, url, env, doc):
    out = {"name": name, "title": title}
    out.update(wire(name, "openai", url))
    if not env:
        out["auth"] = "none"
    out["env"] = env
    out["doc"] = doc
    return out


def model_adapter(row, package):
    """The dialect of a model whose provider has several."""
    override = row.get("override", {})
    npm = override.get("npm", package)
    adapter = DIALECTS[npm]
    shape = override.get("shape")
    if shape == "responses":
        return "responses"
    if npm == "@ai-sdk/openai" and shape is None:
        # ZenMux and OpenAI offer both ways; the others mean Responses.
        if row["provider"] not in ("openai", "zenmux"):
            return "responses"
    tail = row["id"].rsplit("/", 1)[-1]
    if (npm in ("@ai-sdk/openai", "@ai-sdk/azure")
            and RESPONSES_ONLY.match(tail)):
        return "responses"
    return adapter


def model_wire(row, source, provider):
    """What of the wire differs from the provider's own."""
    adapter = model_adapter(row, source["package"])
    url = row.get("override", {}).get("api") or BASE_URLS.get(
        row["provider"], source["api"])
    if row["provider"] == "google-vertex" and adapter == "anthropic":
        url = VERTEX + "anthropic"
    own = wire(row["provider"], adapter, url, row["id"])
    if provider.get("auth") == "none":
        own["auth"] = "none"
    return {name: value for name, value in own.items()
            if value != provider.get(name)}


def caps(row):
    out = [cap for name, cap in CAPS.items() if row.get(name)]
    if row.get("temperature") is not False:
        out.append("temperature")
    for way, short in (("input", "in"), ("output", "out")):
        for kind in ("text", "image", "pdf", "audio", "video"):
            if kind in row["modalities"][way] and (kind, way) != (
                    "pdf", "output"):
                out.append(kind + "_" + short)
    return " ".join(out)


def scores(row):
    """One score a benchmark: the best one by the metric listed first."""
    best, metrics = {}, {}
    for run in row.get("benchmarks", []):
        name, metric = run["name"], run.get("metric")
        if metrics.setdefault(name, metric) == metric:
            best[name] = max(run["score"], best.get(name, run["score"]))
    return best


def model_row(row, source, provider):
    out = {"provider": row["provider"], "name": row["id"],
           "title": row["name"].strip()}
    optional = {
        "family": row.get("family"),
        "released": row.get("release_date"),
        "status": row.get("status"),
        "context": row["limit"]["context"],
        "max_input": row["limit"].get("input"),
        "max_output": row["limit"]["output"],
        "caps": caps(row),
        "scores": scores(row),
    }
    out.update({name: value for name, value in optional.items() if value})
    cost = model_price(row)
    if cost is not None:
        out["price"] = cost
    out.update(model_wire(row, source, provider))
    return out


def embeddings_row(provider, name, title, cost, context):
    return {"provider": provider, "name": name, "title": title,
            "context": context, "caps": "text_in text_out",
            "price": {"input": cost, "output": "0"}}


def media_rows(rows):
    """Rows of models that make images and speech, priced."""
    table = {(row["provider"], row["name"]): row for row in rows}
    for provider, name, title, cost in MEDIA:
        speech = "image" not in cost and "tts" in name
        row = table.get((provider, name))
        if row is None:
            row = {"provider": provider, "name": name, "title": title,
                   "caps": "text_in " + ("audio_out" if speech else
                                         "image_out")}
            rows.append(row)
        if "price" not in row:
            wire = {word: row.pop(word) for word in
                    ("adapter", "base_url", "auth", "quirks") if word in row}
            row.update({"price": cost, **wire})


def other_row(provider, name, title, price, context, reads):
    row = {"provider": provider, "name": name, "title": title,
           "context": context, "caps": reads + " text_out", "price": price}
    return {k: v for k, v in row.items() if v != 0}


def lines(rows):
    return ",\n".join(json.dumps(row, ensure_ascii=False,
                                 separators=(",", ":")) for row in rows)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        providers = json.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        models = json.load(file)
    sources = {row["id"]: row for row in providers["rows"]}
    table = {name: provider_row(row) for name, row in sources.items()}
    for row in MORE:
        if row[0] not in table:
            table[row[0]] = more_row(*row)
    for name, aliases in ALIASES.items():
        table[name]["aliases"] = aliases
    rows = [model_row(row, sources[row["provider"]], table[row["provider"]])
            for row in models["rows"]]
    known = {(row["provider"], row["name"]) for row in rows}
    rows += [embeddings_row(*row) for row in EMBEDDINGS
             if row[:2] not in known]
    media_rows(rows)
    rows += [other_row(*row) for row in OTHERS if row[:2] not in known]
    rows.sort(key=lambda row: (row["provider"].encode(),
                               row["name"].encode()))
    head = {"form": 1, "source": "https://models.dev, commit "
            + models["commit"] + "; completed by tools/catalog.py",
            "licence": "MIT, Copyright (c) 2025 spin.dev",
            "date": models["date"]}
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    print("{")
    for name, value in head.items():
        print(json.dumps(name) + ": " + json.dumps(value) + ",")
    print('"providers": [')
    print(lines(table[name] for name in sorted(table, key=str.encode)))
    print('],\n"models": [')
    print(lines(rows))
    print("]\n}")


if __name__ == "__main__":
    main()
