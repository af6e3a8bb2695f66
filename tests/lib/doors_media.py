"""What the upstream of the tests answers to requests for images and speech,
written from the providers' own references. A strict judge as doors.py: what a
provider does not know is refused. Pictures are no pictures and speech is no
speech, but bytes that tell what they were made of.
"""

import base64
import hashlib
import json
import time

import doors_audio
from doors import Refused, count, members, one_of


def bytes_of(what, size):
    """So many bytes that tell what they were made of; every value occurs."""
    seed = hashlib.sha256(what.encode()).digest()
    return (seed + bytes(range(256)) * (size // 256 + 1))[:size]


def picture(prompt, i=0, size=300):
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n" + bytes_of(f"{prompt}/{i}", size)).decode()


def among(doc, name, words, otherwise=None):
    value = doc.get(name, otherwise)
    if value is not None and value not in words:
        raise Refused(f"{name} is none of {words}")
    return value


def refusal(e):
    return json.dumps({"error": {
        "message": f"{e}", "type": "invalid_request_error", "param": None,
        "code": None}}).encode()


# --- images -----------------------------------------------------------------

PER_IMAGE = {   # gpt-image-1: platform.openai.com/docs/guides/image-generation
    "low": {"1024x1024": 272, "1024x1536": 408, "1536x1024": 400},
    "medium": {"1024x1024": 1056, "1024x1536": 1584, "1536x1024": 1568},
    "high": {"1024x1024": 4160, "1024x1536": 6240, "1536x1024": 6208}}
PARTIAL = 100


def openai_checked(doc):
    members(doc, "model", "prompt", "n", "size", "quality", "background",
            "output_format", "output_compression", "moderation", "user",
            "stream", "partial_images", "style", "response_format")
    among(doc, "quality", ["low", "medium", "high", "auto", "hd", "standard"])
    among(doc, "size", list(PER_IMAGE["low"]) + ["auto"])
    among(doc, "output_format", ["png", "jpeg", "webp"])
    among(doc, "background", ["transparent", "opaque", "auto"])
    among(doc, "moderation", ["low", "auto"])
    among(doc, "response_format", ["url", "b64_json"])
    if not 1 <= doc.get("n", 1) <= 10:
        raise Refused("n is 1 to 10")
    if not doc["prompt"]:
        raise Refused("no prompt")


def tokens(doc, partials=0):
    size = doc.get("size", "auto")
    return PER_IMAGE[doc.get("quality", "high")][
        "1024x1536" if size == "auto" else size] + PARTIAL * partials


def usage(doc, output, sent=0):
    n = count(doc["prompt"])
    return {"input_tokens": n + sent, "output_tokens": output,
            "total_tokens": n + sent + output,
            "input_tokens_details": {"image_tokens": sent, "text_tokens": n},
            "output_tokens_details": {"image_tokens": output,
                                      "text_tokens": 0}}


def openai_images(doc, bill):
    openai_checked(doc)
    n = doc.get("n", 1)
    u = usage(doc, n * tokens(doc))
    bill(u["input_tokens"], u["output_tokens"])
    form = doc.get("response_format", "b64_json")
    data = [{form: picture(doc["prompt"], i) if form == "b64_json" else
             f"https://images.invalid/{i}.png"} for i in range(n)]
    return {"created": 1700000000, "data": data, "usage": u}


def dalle(doc, bill):
    """dall-e-3 tells no usage; it is sold by the image."""
    members(doc, "model", "prompt", "n", "size", "quality", "style",
            "response_format", "user")
    bill(0, 0)
    return {"created": 1700000000, "data": [
        {"url": "https://images.invalid/1.png", "revised_prompt": "So."}
        for _ in range(doc.get("n", 1))]}


def together(doc, bill):
    """docs.together.ai/reference/post-images-generations"""
    members(doc, "model", "prompt", "n", "steps", "width", "height", "seed",
            "image_url", "negative_prompt", "guidance_scale",
            "response_format", "output_format", "image_loras",
            "disable_safety_checker", "reference_images")
    among(doc, "response_format", ["url", "base64"])
    bill(0, 0)
    what = doc["prompt"] if not {"image_url", "reference_images"} & set(doc) \
        else together_edit(doc)
    data = [{"index": i, **({"b64_json": picture(what, i)}
             if doc.get("response_format") == "base64" else
             {"url": f"https://images.invalid/{i}.png"})}
            for i in range(doc.get("n", 1))]
    return {"id": "x", "model": doc["model"], "object": "list", "data": data,
            "width": doc.get("width"), "height": doc.get("height")}


def router(doc, bill):
    """openrouter.ai/docs: chat's words for usage, an address of its own."""
    members(doc, "model", "prompt", "n", "size", "quality",
            "response_format", "output_format", "aspect_ratio", "resolution",
            "input_references")
    n = count(doc["prompt"])
    what = doc["prompt"]
    if "input_references" in doc:
        for ref in doc["input_references"]:
            members(ref, "type", "image_url")
            one_of(ref["type"], "image_url")
        what = told([url_of(r["image_url"]["url"])
                     for r in doc["input_references"]])
    bill(n, 1120)
    return {"created": 0, "data": [
        {"b64_json": picture(what), "media_type": "image/png"}],
        "usage": {"prompt_tokens": n, "completion_tokens": 1120,
                  "total_tokens": n + 1120,
                  "completion_tokens_details": {"image_tokens": 1120}}}


# --- images that were sent ---------------------------------------------------

SENT = 323          # tokens of each, low fidelity
GEMINI_SENT = 258
SENT_RATE = 2       # times the price of text
VARIED = "a variation"


def told(pictures):
    """What is made of these tells what they were."""
    return hashlib.sha256(b"/".join(pictures)).hexdigest()


def url_of(url):
    """The bytes of a data: URL; an address stands for itself."""
    if url.startswith("https://"):
        return url.encode()
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:image/"):
        raise Refused("no such URL")
    return b64(data)


def b64(data):
    out = base64.b64decode(data, validate=True)
    if not out.startswith((b"\x89PNG", b"\xff\xd8\xff", b"RIFF")):
        raise Refused("invalid image file")
    return out


def fields_of(x, *files):
    """The form as its document and files, each checked as an SDK writes it."""
    doc, sent = {}, {name: [] for name in files}
    for name, parts in doors_audio.form(x).items():
        for filename, _kind, data in parts:
            if name in files:
                if filename is None:
                    raise Refused(name + " is no file")
                sent[name].append(data)
            elif filename is not None or len(parts) > 1:
                raise Refused("unexpected part: " + name)
            else:
                doc[name] = data.decode()
    for name in ("n", "partial_images", "output_compression"):
        if name in doc:
            doc[name] = int(doc[name])
    if "stream" in doc:
        doc["stream"] = {"true": True, "false": False}[doc["stream"]]
    return doc, sent


def edit_of(x):
    """An edit as OpenAI takes it, of a form or in JSON: its document without
    pictures, the pictures, and whether there is a mask."""
    if x.json is None:
        doc, sent = fields_of(x, "image", "image[]", "mask")
        pictures = sent["image"] + sent["image[]"]
        mask = sent["mask"]
        if len(sent["image"]) > 1 or len(mask) > 1:
            raise Refused("one image, or image[]")
    else:
        doc = dict(x.json)
        for ref in doc["images"] + [doc.get("mask", {"file_id": "file-x"})]:
            members(ref, "image_url", "file_id")
        pictures = [url_of(r["image_url"]) if "image_url" in r else
                    r["file_id"].encode() for r in doc.pop("images")]
        mask = [url_of(doc.pop("mask")["image_url"])] if "mask" in doc else []
    if not 1 <= len(pictures) <= 16:
        raise Refused("1 to 16 images")
    if doc.pop("input_fidelity", "low") not in ("low", "high"):
        raise Refused("no such fidelity")
    openai_checked(doc)
    return doc, pictures, mask


def bill_sent(bill, pictures, mask):
    """Their tokens; the bill knows one price for input, so by its text's."""
    n = SENT * (len(pictures) + len(mask))
    bill(n * SENT_RATE, 0)
    return n


def openai_edit(x, bill):
    doc, pictures, mask = edit_of(x)
    sent = bill_sent(bill, pictures, mask)
    n = doc.get("n", 1)
    u = usage(doc, n * tokens(doc), sent)
    bill(u["input_tokens"] - sent, u["output_tokens"])
    data = [{"b64_json": picture(told(pictures + mask), i)} for i in range(n)]
    return {"created": 1700000000, "data": data, "usage": u}


def openai_variation(x, bill):
    """As dall-e-2 was sold: by the image."""
    doc, sent = fields_of(x, "image")
    members(doc, "model", "n", "size", "response_format", "user")
    among(doc, "size", ["256x256", "512x512", "1024x1024"])
    (one,) = sent["image"]
    bill(0, 0)
    return {"created": 1700000000, "data": [
        {"b64_json": picture(VARIED + told([one]), i)}
        for i in range(doc.get("n", 1))]}


def xai_edit(x, bill):
    """docs.x.ai: JSON, one image or up to three"""
    doc = x.json
    members(doc, "model", "prompt", "n", "response_format", "aspect_ratio",
            "resolution", "user", "image", "images")
    refs = doc["images"] if "images" in doc else [doc["image"]]
    if ("image" in doc) == ("images" in doc) or not 1 <= len(refs) <= 3:
        raise Refused("one image or up to three images")
    for ref in refs:
        members(ref, "type", "url")
    bill(0, 0)
    return {"data": [{"b64_json": picture(told(
        [url_of(r["url"]) for r in refs]))}]}


def together_edit(doc):
    """Kontext has one image, others a list."""
    names = {"image_url", "reference_images"} & set(doc)
    if names != {"image_url" if "kontext" in doc["model"].lower() else
                 "reference_images"}:
        raise Refused("images under another name")
    given = doc.get("reference_images") or [doc["image_url"]]
    return told([url_of(u) for u in given])


def gemini(doc, bill):
    """ai.google.dev/gemini-api/docs/image-generation"""
    members(doc, "contents", "generationConfig", "safetySettings", "tools",
            "systemInstruction")
    config = doc["generationConfig"]
    members(config, "responseModalities", "imageConfig", "candidateCount",
            "temperature", "seed")
    members(config.get("imageConfig", {}), "aspectRatio", "imageSize")
    among(config.get("imageConfig", {}), "aspectRatio", [
        "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9",
        "21:9"])
    if "IMAGE" not in config["responseModalities"]:
        raise Refused("no image is asked for")
    part, *pictures = doc["contents"][0]["parts"]
    n = count(part["text"])
    bill(n, 1290)
    what, sent = part["text"], GEMINI_SENT * len(pictures)
    if pictures:
        for p in pictures:
            members(p, "inlineData", "fileData")
        bill(sent * SENT_RATE, 0)
        what = told([b64(p["inlineData"]["data"]) if "inlineData" in p else
                     p["fileData"]["fileUri"].encode() for p in pictures])
    details = {"promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": n},
        {"modality": "IMAGE", "tokenCount": sent}]} if pictures else {}
    return {"candidates": [{"content": {"role": "model", "parts": [
        {"text": "Here."}, {"inlineData": {
            "mimeType": "image/png", "data": picture(what)}}]},
        "finishReason": "STOP"}], "usageMetadata": {
            "promptTokenCount": n + sent, "candidatesTokenCount": 1290,
            "totalTokenCount": n + sent + 1290, **details}}


def imagen(doc, bill):
    """ai.google.dev/gemini-api/docs/imagen"""
    members(doc, "instances", "parameters")
    members(doc["parameters"], "sampleCount", "aspectRatio", "imageSize",
            "personGeneration")
    among(doc["parameters"], "aspectRatio",
          ["1:1", "3:4", "4:3", "9:16", "16:9"])
    n = doc["parameters"]["sampleCount"]
    if not 1 <= n <= 4:
        raise Refused("sampleCount is 1 to 4")
    prompt = doc["instances"][0]["prompt"]
    bill(0, 0)
    if "forbidden" in prompt:
        return {}
    return {"predictions": [{
        "mimeType": "image/png", "bytesBase64Encoded": picture(prompt, i)}
        for i in range(n)]}


def nova(doc, bill):
    """docs.aws.amazon.com/nova: Nova Canvas, and Titan's images"""
    param = {"TEXT_IMAGE": "textToImageParams",
             "IMAGE_VARIATION": "imageVariationParams",
             "INPAINTING": "inPaintingParams"}[doc["taskType"]]
    members(doc, "taskType", param, "imageGenerationConfig")
    members(doc["imageGenerationConfig"], "width", "height", "quality",
            "cfgScale", "seed", "numberOfImages")
    n = doc["imageGenerationConfig"]["numberOfImages"]
    if not 1 <= n <= 5:
        raise Refused("numberOfImages is 1 to 5")
    what = nova_task(doc["taskType"], doc[param])
    bill(0, 0)
    return {"images": [picture(what, i) for i in range(n)], "error": None}


def nova_task(task, params):
    if task == "TEXT_IMAGE":
        members(params, "text", "negativeText")
        return params["text"]
    if task == "INPAINTING":
        members(params, "text", "negativeText", "image", "maskImage")
        return told([b64(params["image"]), b64(params["maskImage"])])
    members(params, "text", "negativeText", "images", "similarityStrength")
    if not 1 <= len(params["images"]) <= 5:
        raise Refused("1 to 5 images")
    return params.get("text", VARIED) + told(
        [b64(p) for p in params["images"]])


def stability(doc, bill):
    """Stability's on Bedrock"""
    members(doc, "prompt", "aspect_ratio", "mode", "seed", "output_format",
            "negative_prompt", "image", "strength")
    if ("image" in doc) != (doc.get("mode") == "image-to-image"):
        raise Refused("an image has its mode")
    if "image" in doc and ("aspect_ratio" in doc or
                           not 0 < doc["strength"] < 1):
        raise Refused("an image has its strength, and no ratio")
    among(doc, "aspect_ratio", ["16:9", "1:1", "21:9", "2:3", "3:2", "4:5",
                                "5:4", "9:16", "9:21"])
    bill(0, 0)
    return {"seeds": [1], "finish_reasons": [None],
            "images": [picture(told([b64(doc["image"])]) if "image" in doc
                               else doc["prompt"])]}


def xai(doc, bill):
    """Refuses what it does not know, sizes too."""
    members(doc, "model", "prompt", "n", "response_format", "aspect_ratio",
            "resolution", "user")
    bill(0, 0)
    return {"data": [{"url": "https://images.invalid/x.jpeg",
                      "mime_type": "image/jpeg"}],
            "ratio": doc.get("aspect_ratio"),
            "usage": {"cost_in_usd_ticks": 700000000}}


def fireworks(doc, bill):
    """docs.fireworks.ai, an image from a text prompt: one a call."""
    members(doc, "prompt", "aspect_ratio", "guidance_scale", "seed",
            "num_inference_steps")
    among(doc, "aspect_ratio", ["1:1", "21:9", "16:9", "3:2", "5:4", "4:5",
                                "2:3", "9:16", "9:21", "4:3", "3:4"])
    bill(0, 0)
    if doc["prompt"] == "forbidden":
        return {"id": "1", "base64": [], "finishReason": "CONTENT_FILTERED",
                "seed": 1}
    return {"id": "1", "finishReason": "SUCCESS", "seed": 1, "base64": [
        "data:image/png;base64," + picture(
            doc["prompt"] + doc.get("aspect_ratio", ""))]}


IMAGES = {"fireworks": ("/v1/workflows/up-sparks/text_to_image", fireworks),
          "xai": ("/v1/images/generations", xai),
          "gemini": (":generateContent", gemini),
          "imagen": (":predict", imagen),
          "nova": ("/model/amazon.nova-canvas-v1%3A0/invoke", nova),
          "stability": ("/model/stability.sd3-5-large-v1%3A0/invoke",
                        stability),
          "openai": ("/v1/images/generations", openai_images),
          "dalle": ("/v1/images/generations", dalle),
          "together": ("/v1/images/generations", together),
          "router": ("/v1/images", router)}
# … of forms, or of JSON with pictures: by the end of the path, too.
EDITS = {"openai": ("/v1/images/edits", openai_edit),
         "varied": ("/v1/images/variations", openai_variation),
         "xai": ("/v1/images/edits", xai_edit)}


async def m_images(x, form="openai", ms=0.0, cut=0, size=300):
    """Images in one of the forms of IMAGES; streamed ones as events, broken
    off behind so many."""
    bill = lambda i, o: x.bill_tokens(o, i)
    try:
        end, answer = EDITS.get(form, ("/", None))
        if x.path.endswith(end):
            if form == "openai" and edit_of(x)[0].get("stream"):
                await image_stream(x, *edit_of(x), ms, cut, size)
                return
            await x.reply(200, answer(x, bill))
            return
        end, answer = IMAGES[form]
        if not x.path.endswith(end):
            raise Refused("no such address: " + x.path)
        if form == "openai" and x.stream:
            await image_stream(x, x.json, [], [], ms, cut, size)
            return
        body = answer(x.json, bill)
    except (Refused, KeyError, TypeError, IndexError, ValueError) as e:
        await x.reply(400, refusal(e))
        return
    await x.sleep(ms / 1000)
    await x.reply(200, body)


async def image_stream(x, doc, pictures, mask, ms, cut, size):
    openai_checked(doc)
    partials = doc.get("partial_images", 0)
    word = "image_edit" if pictures else "image_generation"
    what = told(pictures + mask) if pictures else doc["prompt"]
    sent = bill_sent(lambda i, o: x.bill_tokens(o, i), pictures, mask)
    x.bill_tokens(0, count(doc["prompt"]))
    await x.head()
    for i in range(partials):
        await x.sleep(ms / 1000)
        x.content_leaves()
        x.bill_tokens(PARTIAL)
        await x.event({"type": word + ".partial_image",
                       "partial_image_index": i, "created_at": 1700000000,
                       "b64_json": picture(what, i, size),
                       "size": "1024x1024", "quality": "high",
                       "background": "auto", "output_format": "png",
                       "sent": time.time()},
                      name=word + ".partial_image")
        if cut and i + 1 >= cut:
            x.cut()
    await x.sleep(ms / 1000)
    x.bill_tokens(tokens(doc))
    x.content_leaves()
    await x.event({"type": word + ".completed",
                   "created_at": 1700000000,
                   "b64_json": picture(what, 99, size),
                   "size": "1024x1024", "quality": "high",
                   "background": "auto", "output_format": "png",
                   "usage": usage(doc, tokens(doc, partials), sent)},
                  name=word + ".completed")
    await x.end()


# --- speech -----------------------------------------------------------------

FORMATS = {"mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac",
           "flac": "audio/flac", "wav": "audio/wav", "pcm": "audio/pcm"}


def speech_checked(doc):
    members(doc, "model", "input", "voice", "instructions",
            "response_format", "speed", "stream_format")
    among(doc, "response_format", list(FORMATS))
    among(doc, "stream_format", ["audio", "sse"])
    if not isinstance(doc["voice"], (str, dict)):
        raise Refused("no voice")
    if not 0.25 <= doc.get("speed", 1) <= 4:
        raise Refused("speed is 0.25 to 4")


def stamp(piece, i):
    """A piece of audio that begins with when it was sent."""
    head = b"%d:%.6f;" % (i, time.time())
    return head + piece[len(head):]


async def m_speech(x, pieces=4, ms=0.0, size=1000, cut=0, form="openai"):
    """So many pieces of speech of this size, with times in them; broken off
    behind so many. form: openai, or mistral's JSON."""
    doc = x.json
    try:
        if not x.path.endswith("/v1/audio/speech"):
            raise Refused("no such address: " + x.path)
        speech_checked(doc)
    except (Refused, KeyError, TypeError) as e:
        await x.reply(400, refusal(e))
        return
    x.bill_tokens(0, len(doc["input"]))   # sold by the character
    audio = bytes_of(doc["input"], size)
    if form == "mistral":
        await x.reply(200, {"audio_data": base64.b64encode(audio).decode()})
        return
    sse = doc.get("stream_format") == "sse"
    await x.head(200, "text/event-stream" if sse else
                 FORMATS[doc.get("response_format", "mp3")],
                 [("x-secret", "none of the client's business")])
    for i in range(pieces):
        await x.sleep(ms / 1000)
        x.content_leaves()
        x.entry["taken"] = x.taken()
        if sse:
            await x.event({"type": "speech.audio.delta",
                           "audio": base64.b64encode(audio).decode()})
        else:
            x.events += 1
            await x.send(stamp(audio, i))
        if cut and i + 1 >= cut:
            x.cut()
    if sse:
        await x.event({"type": "speech.audio.done", "usage": {
            "input_tokens": count(doc["input"]), "output_tokens": 50,
            "total_tokens": count(doc["input"]) + 50}})
    await x.end()
