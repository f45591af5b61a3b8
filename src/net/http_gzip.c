#include <zlib.h>

#include "net/http_reader.h"

enum { STEP_BYTES = 16 * 1024 };

static enum weir_rc inflate_all(z_stream *stream, struct weir_buf *out, struct weir_err *err)
{
    unsigned char step[STEP_BYTES];
    for (;;) {
        stream->next_out = step;
        stream->avail_out = sizeof(step);
        int rc = inflate(stream, Z_NO_FLUSH);
        weir_buf_add(out, step, sizeof(step) - stream->avail_out);
        if (out->overflow) {
            return weir_buf_check(out, "the inflated body", err);
        }
        if (rc == Z_STREAM_END && stream->avail_in == 0) {
            return WEIR_OK;
        }
        if (rc == Z_STREAM_END) {
            rc = inflateReset(stream); /* a gzip file may have several members */
        }
        /* Input that ends early leaves room in the output and nothing to read. */
        if (rc != Z_OK || (stream->avail_in == 0 && stream->avail_out > 0)) {
            return weir_fail(err, WEIR_E_INVALID, "the body is not valid gzip");
        }
    }
}

enum weir_rc weir_http_inflate(struct weir_str packed, struct weir_buf *out, struct weir_err *err)
{
    z_stream stream = { 0 };
    stream.next_in = (Bytef *)(uintptr_t)packed.p;
    stream.avail_in = (uInt)packed.n;
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) {
        return weir_fail(err, WEIR_E_IO, "zlib cannot start");
    }
    enum weir_rc rc = inflate_all(&stream, out, err);
    inflateEnd(&stream);
    return rc;
}
