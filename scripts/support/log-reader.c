/*
 * Reads a topic from its beginning with librdkafka and prints how fast that went, as one JSON line.
 *
 *   log-reader BOOTSTRAP TOPIC COUNT
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: log-reader BOOTSTRAP TOPIC COUNT\n");
        return 2;
    }
    char error[512];
    int64_t wanted = atoll(argv[3]), records = 0, bytes = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *settings[][2] = {
        {"bootstrap.servers", argv[1]},  {"group.id", "log-reader"},           {"enable.auto.commit", "false"},
        {"check.crcs", "true"},          {"auto.offset.reset", "earliest"},    {"fetch.message.max.bytes", "4194304"},
        {"queued.min.messages", "500000"},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof(error)) != RD_KAFKA_CONF_OK) return 2;
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    if (!rk) return 2;
    rd_kafka_poll_set_consumer(rk);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, argv[2], NULL);
    if (rd_kafka_metadata(rk, 0, topic, &metadata, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR) return 2;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(metadata->topics[0].partition_cnt);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add(list, argv[2], i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    double started = now();
    rd_kafka_assign(rk, list);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    rd_kafka_message_t **batch = malloc(sizeof(*batch) * 10000);
    while (records < wanted) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 10000, batch, 10000);
        if (count <= 0) break;
        for (ssize_t i = 0; i < count; i++) {
            if (!batch[i]->err) {
                records++;
                bytes += (int64_t)batch[i]->len;
            }
            rd_kafka_message_destroy(batch[i]);
        }
    }
    double elapsed = now() - started;
    printf("{\"records\":%" PRId64 ",\"seconds\":%.3f,\"per_second\":%.0f,\"megabytes_per_second\":%.1f}\n", records,
           elapsed, (double)records / elapsed, (double)bytes / 1e6 / elapsed);
    return records == wanted ? 0 : 1;
}
