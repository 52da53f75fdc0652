/*
 * Writes numbered events with ids of their own to a topic, at a steady rate, as the services write theirs: binary CloudEvents.
 *
 *   event-writer BOOTSTRAP TOPIC TYPE PREFIX COUNT PER_SECOND
 *
 * Event N has the id "<PREFIX>-<N>" and the data {"number":N,"sentAtUs":<microseconds since 1970>}. PER_SECOND 0 writes as fast as
 * the log takes them. Ends when all are acknowledged; exit code 1 when one was not.
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t failed;

static int64_t now_us(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    (void)opaque;
    if (message->err) failed++;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: event-writer BOOTSTRAP TOPIC TYPE PREFIX COUNT PER_SECOND\n");
        return 2;
    }
    const char *topic = argv[2], *type = argv[3], *prefix = argv[4];
    int64_t count = atoll(argv[5]), rate = atoll(argv[6]);
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *settings[][2] = {
        {"bootstrap.servers", argv[1]}, {"enable.idempotence", "true"}, {"linger.ms", "2"}, {"log_level", "3"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof error) != RD_KAFKA_CONF_OK) {
            fprintf(stderr, "%s\n", error);
            return 2;
        }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (!rk) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int64_t started = now_us(CLOCK_MONOTONIC);
    for (int64_t n = 0; n < count; n++) {
        while (rate > 0) {
            int64_t wait = started + n * 1000000 / rate - now_us(CLOCK_MONOTONIC);
            if (wait <= 0) break;
            rd_kafka_poll(rk, wait > 1000 ? (int)(wait / 1000) : 0);
        }
        char id[160], subject[64], value[160];
        snprintf(id, sizeof id, "%s-%" PRId64, prefix, n);
        snprintf(subject, sizeof subject, "%s%" PRId64, prefix, n);
        int size = snprintf(value, sizeof value, "{\"number\":%" PRId64 ",\"sentAtUs\":%" PRId64 "}", n, now_us(CLOCK_REALTIME));
        const char *pairs[][2] = {
            {"ce_specversion", "1.0"}, {"ce_id", id}, {"ce_source", "/bench"}, {"ce_type", type}, {"ce_subject", subject},
            {"ce_time", "2026-01-02T03:04:05.678Z"}, {"ce_sequence", "1"}, {"ce_correlationid", subject},
            {"ce_attempt", "1"}, {"content-type", "application/json"},
        };
        for (;;) {
            rd_kafka_headers_t *headers = rd_kafka_headers_new(16);
            for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
                rd_kafka_header_add(headers, pairs[i][0], -1, pairs[i][1], -1);
            rd_kafka_resp_err_t err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(subject, strlen(subject)),
                RD_KAFKA_V_VALUE(value, (size_t)size), RD_KAFKA_V_HEADERS(headers),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
            if (!err) break;
            rd_kafka_headers_destroy(headers);
            if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
                fprintf(stderr, "%s\n", rd_kafka_err2str(err));
                return 1;
            }
            rd_kafka_poll(rk, 10);
        }
    }
    rd_kafka_flush(rk, 60000);
    int64_t left = rd_kafka_outq_len(rk);
    rd_kafka_destroy(rk);
    return failed || left ? 1 : 0;
}
