/*
 * Writes numbered records with librdkafka's idempotent producer and notes every acknowledgement; for the event log's
 * crash test and benchmark.
 *
 *   log-writer BOOTSTRAP TOPIC [-n COUNT] [-s SIZE] [-r PER_SECOND] [-d SECONDS] [-k KEYS] [-l LINGER_MS] [-a ACK_FILE]
 *
 * The record with number N has key "k<N mod KEYS>" and a value that begins with "<session> <key> <number of the key>".
 * Each line of ACK_FILE is "<partition> <offset> <session> <key> <number>". A producer that fails for good is replaced
 * by a new one (a new session) that sends again what was not acknowledged, as a careful program has to.
 * Prints one JSON line: sent, acknowledged, sessions, seconds, per second, latencies in milliseconds.
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    int64_t number;
    int64_t started;
    int acknowledged;
} record_t;

static record_t *records;
static int64_t acknowledged, failed, latency_count, measured_from;
static float *latencies;
static int session;
static int keys = 60;
static FILE *ack_file;
static volatile sig_atomic_t stopping;

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    (void)opaque;
    record_t *record = message->_private;
    if (message->err) {
        failed++;
        return;
    }
    if (record->acknowledged) return;
    record->acknowledged = 1;
    acknowledged++;
    // The first second, in which the producer connects, says nothing about the log.
    if (record->started >= measured_from) latencies[latency_count++] = (float)(now_us() - record->started) / 1000;
    if (ack_file)
        fprintf(ack_file, "%d %" PRId64 " %d k%" PRId64 " %" PRId64 "\n", message->partition, message->offset, session,
                record->number % keys, record->number / keys);
}

static rd_kafka_t *make_producer(const char *bootstrap, const char *linger) {
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *settings[][2] = {
        {"bootstrap.servers", bootstrap}, {"enable.idempotence", "true"}, {"acks", "all"}, {"linger.ms", linger},
        {"message.timeout.ms", "120000"}, {"reconnect.backoff.max.ms", "500"}, {"log_level", "2"},
        {"queue.buffering.max.messages", "500000"}, {"queue.buffering.max.kbytes", "1048576"},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof(error)) != RD_KAFKA_CONF_OK) {
            fprintf(stderr, "log-writer: %s\n", error);
            exit(2);
        }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    if (!rk) {
        fprintf(stderr, "log-writer: %s\n", error);
        exit(2);
    }
    session++;
    return rk;
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static float percentile(double share) {
    if (latency_count == 0) return 0;
    int64_t place = (int64_t)(share * (double)latency_count);
    return latencies[place < latency_count ? place : latency_count - 1];
}

static int is_fatal(rd_kafka_t *rk) {
    char text[256];
    return rd_kafka_fatal_error(rk, text, sizeof(text)) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: log-writer BOOTSTRAP TOPIC [options]\n");
        return 2;
    }
    const char *bootstrap = argv[1], *topic = argv[2], *linger = "5";
    int64_t count = 100000, size = 1024, rate = 0, seconds = 0;
    int option;
    optind = 3;
    while ((option = getopt(argc, argv, "n:s:r:d:k:l:a:")) != -1) {
        switch (option) {
        case 'n': count = atoll(optarg); break;
        case 's': size = atoll(optarg); break;
        case 'r': rate = atoll(optarg); break;
        case 'd': seconds = atoll(optarg); break;
        case 'k': keys = atoi(optarg); break;
        case 'l': linger = optarg; break;
        case 'a': ack_file = fopen(optarg, "w"); break;
        default: return 2;
        }
    }
    if (size < 64) size = 64;
    if (ack_file) setvbuf(ack_file, NULL, _IOLBF, 1 << 16);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    records = calloc((size_t)count, sizeof(record_t));
    latencies = calloc((size_t)count, sizeof(float));
    char *value = malloc((size_t)size + 1);
    if (!records || !latencies || !value) return 2;
    memset(value, 'x', (size_t)size);

    rd_kafka_t *rk = make_producer(bootstrap, linger);
    int64_t started = now_us(), sent = 0, next = 0;
    if (rate > 0) measured_from = started + 1000000;
    while (next < count && !stopping) {
        if (seconds > 0 && now_us() - started > seconds * 1000000) break;
        if (rate > 0) {
            int64_t due = started + next * 1000000 / rate;
            int64_t wait = due - now_us();
            while (wait > 0) {
                rd_kafka_poll(rk, wait > 1000 ? 1 : 0);
                wait = due - now_us();
            }
        }
        record_t *record = &records[next];
        record->number = next;
        record->started = now_us();
        char key[24];
        int key_length = snprintf(key, sizeof(key), "k%" PRId64, next % keys);
        int written = snprintf(value, (size_t)size, "%d %s %" PRId64 " ", session, key, next / keys);
        value[written] = 'x';
        rd_kafka_resp_err_t error =
            rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, (size_t)key_length),
                              RD_KAFKA_V_VALUE(value, (size_t)size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_OPAQUE(record), RD_KAFKA_V_END);
        if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            rd_kafka_poll(rk, 10);
            continue;
        }
        if (error == RD_KAFKA_RESP_ERR__FATAL || is_fatal(rk)) {
            // A new session begins with the first record that was not acknowledged.
            rd_kafka_flush(rk, 1000);
            rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
            rd_kafka_poll(rk, 0);
            rd_kafka_destroy(rk);
            rk = make_producer(bootstrap, linger);
            int64_t first = 0;
            while (first < next && records[first].acknowledged) first++;
            next = first;
            continue;
        }
        if (error) {
            fprintf(stderr, "log-writer: %s\n", rd_kafka_err2str(error));
            return 2;
        }
        sent++;
        next++;
        if (next % 64 == 0) rd_kafka_poll(rk, 0);
    }
    for (int i = 0; i < 600 && rd_kafka_outq_len(rk) > 0 && !is_fatal(rk); i++) rd_kafka_flush(rk, 100);
    double elapsed = (double)(now_us() - started) / 1e6;
    qsort(latencies, (size_t)latency_count, sizeof(float), compare);
    printf("{\"sent\":%" PRId64 ",\"acknowledged\":%" PRId64 ",\"failed\":%" PRId64
           ",\"sessions\":%d,\"seconds\":%.3f,\"per_second\":%.0f,\"megabytes_per_second\":%.1f,"
           "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"p999_ms\":%.2f}\n",
           sent, acknowledged, failed, session, elapsed, (double)acknowledged / elapsed,
           (double)acknowledged * (double)size / 1e6 / elapsed, percentile(0.5), percentile(0.99), percentile(0.999));
    if (ack_file) fclose(ack_file);
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return 0;
}
