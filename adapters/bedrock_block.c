/* Content blocks of Converse requests. */
#include "adapters/bedrock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/base/buf.h"
#include "app/base/hash.h"

#define ID_MAX 64 /* characters of an id of a call */
#define NAME_MAX_BYTES 200

/* { "key": … up to end(). */
static void
begin(struct json_writer *w, const char *key)
{
	jw_object(w);
	jw_key(w, key);
}

void
bedrock_write_cache(struct json_writer *w, enum cache_mark mark)
{
	if (mark == CACHE_NONE)
		return;
	begin(w, "cachePoint");
	begin(w, "type");
	jw_string(w, "default");
	if (mark == CACHE_1H) {
		jw_key(w, "ttl");
		jw_string(w, "1h");
	}
	jw_end_object(w);
	jw_end_object(w);
}

/* ------------------------------------------------------------- media */

static const struct {
	enum part_kind kind;
	const char *type, *format;
} formats[] = {
	{ PART_IMAGE, "image/png", "png" },
	{ PART_IMAGE, "image/jpeg", "jpeg" },
	{ PART_IMAGE, "image/jpg", "jpeg" },
	{ PART_IMAGE, "image/gif", "gif" },
	{ PART_IMAGE, "image/webp", "webp" },
	{ PART_FILE, "application/pdf", "pdf" },
	{ PART_FILE, "text/csv", "csv" },
	{ PART_FILE, "application/msword", "doc" },
	{ PART_FILE, "application/vnd.openxmlformats-officedocument."
		     "wordprocessingml.document", "docx" },
	{ PART_FILE, "application/vnd.ms-excel", "xls" },
	{ PART_FILE, "application/vnd.openxmlformats-officedocument."
		     "spreadsheetml.sheet", "xlsx" },
	{ PART_FILE, "text/html", "html" },
	{ PART_FILE, "text/plain", "txt" },
	{ PART_FILE, "text/markdown", "md" },
	{ PART_AUDIO, "audio/wav", "wav" },
	{ PART_AUDIO, "audio/x-wav", "wav" },
	{ PART_AUDIO, "audio/mpeg", "mp3" },
	{ PART_AUDIO, "audio/mp3", "mp3" },
	{ PART_AUDIO, "audio/flac", "flac" },
	{ PART_AUDIO, "audio/ogg", "ogg" },
	{ PART_AUDIO, "audio/opus", "opus" },
	{ PART_AUDIO, "audio/aac", "aac" },
	{ PART_AUDIO, "audio/mp4", "m4a" },
	{ PART_AUDIO, "audio/webm", "webm" },
	{ PART_VIDEO, "video/mp4", "mp4" },
	{ PART_VIDEO, "video/quicktime", "mov" },
	{ PART_VIDEO, "video/webm", "webm" },
	{ PART_VIDEO, "video/x-matroska", "mkv" },
	{ PART_VIDEO, "video/x-flv", "flv" },
	{ PART_VIDEO, "video/mpeg", "mpeg" },
	{ PART_VIDEO, "video/x-ms-wmv", "wmv" },
	{ PART_VIDEO, "video/3gpp", "three_gp" },
};

/* The first of its kind when no type is given; NULL: none fits. */
static const char *
format_of(const struct part *p)
{
	size_t i, len = p->media_type.len;
	const char *end;

	if (len > 0 && (end = memchr(p->media_type.p, ';', len)) != NULL)
		len = (size_t)(end - p->media_type.p);
	for (i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (formats[i].kind == p->kind && (len == 0 ||
		    canon_is((struct str){ p->media_type.p, len },
			formats[i].type)))
			return formats[i].format;
	return NULL;
}

/*
 * Names of documents hold letters, digits, single blanks and - ( ) [ ] only,
 * and no two in a request are the same: from the second on with a number.
 */
static void
write_name(struct bedrock_writing *x, struct str name)
{
	char out[NAME_MAX_BYTES + 32];
	size_t i, n = 0;
	char c;

	for (i = 0; i < name.len && n < NAME_MAX_BYTES; i++) {
		c = name.p[i];
		if (!isalnum((unsigned char)c) && (c == '\0' ||
		    strchr("-()[]", c) == NULL))
			c = c == ' ' ? ' ' : '-';
		if (c == ' ' && (n == 0 || out[n - 1] == ' '))
			continue;
		out[n++] = c;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	if (n == 0)
		n = (size_t)snprintf(out, sizeof out, "document");
	if (x->documents++ > 0)
		snprintf(out + n, sizeof out - n, " %u", x->documents);
	jw_key(&x->w, "name");
	jw_string(&x->w, out);
}

static enum err
write_source(struct bedrock_writing *x, const struct part *p)
{
	struct json_writer *w = &x->w;

	jw_key(w, "source");
	if (p->data.p != NULL) {
		begin(w, "bytes");
		jw_stringn(w, p->data.p, p->data.len);
	} else if (p->kind == PART_FILE && p->text.p != NULL) {
		begin(w, "text");
		jw_stringn(w, p->text.p, p->text.len);
	} else if (p->url.len > 5 && memcmp(p->url.p, "s3://", 5) == 0) {
		begin(w, "s3Location");
		jw_object(w);
		canon_put_str(w, "uri", p->url);
		jw_end_object(w);
	} else {
		return canon_refuse(x->fault,
		    "files by address or id: send their bytes");
	}
	jw_end_object(w);
	return ERR_OK;
}

static enum err
write_media(struct bedrock_writing *x, const struct part *p)
{
	static const char *const words[] = { [PART_IMAGE] = "image",
		[PART_AUDIO] = "audio", [PART_VIDEO] = "video",
		[PART_FILE] = "document" };
	const char *format = format_of(p);
	enum err e;

	if (format == NULL)
		return canon_refuse(x->fault, "a file of this media type");
	begin(&x->w, words[p->kind]);
	begin(&x->w, "format");
	jw_string(&x->w, p->kind == PART_FILE && p->data.p == NULL &&
	    p->text.p != NULL && p->media_type.len == 0 ? "txt" : format);
	if (p->kind == PART_FILE)
		write_name(x, p->name);
	e = write_source(x, p);
	jw_end_object(&x->w);
	jw_end_object(&x->w);
	return e;
}

/* ------------------------------------------------------------ blocks */

/* Ids of other makers may be longer or have other characters. */
static void
write_id(struct json_writer *w, struct str id)
{
	char hex[HASH_HEX_SIZE], out[ID_MAX + 1] = "call_";
	size_t i;

	jw_key(w, "toolUseId");
	for (i = 0; i < id.len && (isalnum((unsigned char)id.p[i]) ||
	    id.p[i] == '_' || id.p[i] == '-'); i++)
		;
	if (i == id.len && i > 0 && i <= ID_MAX) {
		jw_stringn(w, id.p, id.len);
	} else if (hash_sha256_hex(hex, id.len > 0 ? id.p : "", id.len) ==
	    ERR_OK) {
		memcpy(out + 5, hex, 32);
		out[37] = '\0';
		jw_string(w, out);
	} else {
		w->out->failed = true;
	}
}

static enum err
write_call(struct bedrock_writing *x, const struct part *p)
{
	if (!canon_is_object(p->args, x->arena))
		return canon_refuse(x->fault,
		    "a tool call whose arguments are no object");
	begin(&x->w, "toolUse");
	jw_object(&x->w);
	write_id(&x->w, p->id);
	canon_put_str(&x->w, "name", p->name);
	canon_put_raw(&x->w, "input", p->args);
	jw_end_object(&x->w);
	jw_end_object(&x->w);
	return ERR_OK;
}

static bool
is_blank(struct str s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (!isspace((unsigned char)s.p[i]))
			return false;
	return true;
}

/* Blank texts are refused there, and say nothing. */
static void
write_text(struct json_writer *w, struct str text)
{
	if (is_blank(text))
		return;
	begin(w, "text");
	jw_stringn(w, text.p, text.len);
	jw_end_object(w);
}

static enum err
write_result(struct bedrock_writing *x, const struct part *p)
{
	struct json_writer *w = &x->w;
	enum err e = ERR_OK;
	size_t i;

	begin(w, "toolResult");
	jw_object(w);
	write_id(w, p->id);
	jw_key(w, "content");
	jw_array(w);
	for (i = 0; i < p->part_count && e == ERR_OK; i++)
		e = p->parts[i].kind == PART_AUDIO ?
		    canon_refuse(x->fault, "audio as a tool's result") :
		    bedrock_write_block(x, &p->parts[i]);
	jw_end_array(w);
	if (p->failed) { /* not every model takes a status: said when needed */
		jw_key(w, "status");
		jw_string(w, "error");
	}
	jw_end_object(w);
	jw_end_object(w);
	return e;
}

bool
bedrock_is_ours(const struct part *p)
{
	return p->kind == PART_REASONING && p->origin != NULL &&
	    strcmp(p->origin, "bedrock") == 0 &&
	    (p->sealed.p != NULL || p->signature.len > 0);
}

/* Only its maker can take reasoning; that of others is left out. */
static void
write_thinking(struct json_writer *w, const struct part *p)
{
	if (!bedrock_is_ours(p))
		return;
	begin(w, "reasoningContent");
	if (p->sealed.p != NULL) {
		begin(w, "redactedContent");
		jw_stringn(w, p->sealed.p, p->sealed.len);
	} else {
		begin(w, "reasoningText");
		jw_object(w);
		canon_put_text(w, "text", p->text);
		canon_put_str(w, "signature", p->signature);
		jw_end_object(w);
	}
	jw_end_object(w);
	jw_end_object(w);
}

enum err
bedrock_write_block(struct bedrock_writing *x, const struct part *p)
{
	switch (p->kind) {
	case PART_TEXT:
	case PART_REFUSAL:
		write_text(&x->w, p->text);
		return ERR_OK;
	case PART_IMAGE:
	case PART_AUDIO:
	case PART_VIDEO:
	case PART_FILE:
		return write_media(x, p);
	case PART_CALL:
		return write_call(x, p);
	case PART_RESULT:
		return write_result(x, p);
	case PART_REASONING:
		write_thinking(&x->w, p);
		return ERR_OK;
	case PART_OTHER:
		break;
	}
	return canon_refuse(x->fault, "a content part of another dialect");
}
