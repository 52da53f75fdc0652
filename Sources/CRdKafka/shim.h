/*
 * The C surface of librdkafka (2.0 or newer) that the Swift module `Kafka` uses.
 *
 * Swift does not import variadic functions, function-like macros or enumerators used as plain integers well; the few that are
 * needed are wrapped here as static inline functions. Nothing here keeps state.
 */
#ifndef CRDKAFKA_SHIM_H
#define CRDKAFKA_SHIM_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/* Produces one message. Copies topic-independent data (key, value); takes ownership of `headers` only on success.
 * A null `value` or `key` is a Kafka null, a non-null one of length 0 is an empty byte string. `timestamp_ms` 0 means now.
 * Never blocks. Returns RD_KAFKA_RESP_ERR_NO_ERROR or the reason. */
static inline rd_kafka_resp_err_t crdkafka_produce(
    rd_kafka_t *rk,
    rd_kafka_topic_t *rkt,
    int32_t partition,
    const void *key,
    size_t key_size,
    const void *value,
    size_t value_size,
    int64_t timestamp_ms,
    rd_kafka_headers_t *headers,
    void *opaque
) {
    rd_kafka_vu_t vus[8];
    size_t count = 0;
    vus[count].vtype = RD_KAFKA_VTYPE_RKT;
    vus[count++].u.rkt = rkt;
    vus[count].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[count++].u.i32 = partition;
    vus[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vus[count++].u.i = RD_KAFKA_MSG_F_COPY;
    vus[count].vtype = RD_KAFKA_VTYPE_KEY;
    vus[count].u.mem.ptr = (void *)key;
    vus[count++].u.mem.size = key_size;
    vus[count].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[count].u.mem.ptr = (void *)value;
    vus[count++].u.mem.size = value_size;
    vus[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    vus[count++].u.i64 = timestamp_ms;
    vus[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[count++].u.ptr = opaque;
    if (headers) {
        vus[count].vtype = RD_KAFKA_VTYPE_HEADERS;
        vus[count++].u.headers = headers;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(rk, vus, count);
    if (!error)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

/* The logical offset "n records before the end" (a function-like macro in the header). */
static inline int64_t crdkafka_offset_tail(int64_t n) {
    return RD_KAFKA_OFFSET_TAIL(n);
}

#endif
