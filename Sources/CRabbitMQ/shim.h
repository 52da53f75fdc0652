#ifndef WAYBILL_CRABBITMQ_SHIM_H
#define WAYBILL_CRABBITMQ_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>

/// Logs in with a name and a password (SASL PLAIN); the name of the connection is what the broker's management shows.
/// Exists because Swift cannot call variadic functions. Blocks up to the handshake timeout of `state`.
static inline amqp_rpc_reply_t crabbitmq_login(
    amqp_connection_state_t state,
    const char *vhost,
    int channel_max,
    int frame_max,
    int heartbeat_seconds,
    const char *connection_name,
    const char *user,
    const char *password
) {
    // Without these the broker neither says that a consumer's queue is gone nor that it takes no publishes for now.
    // rabbitmq-c adds authentication_failure_close itself.
    amqp_table_entry_t capabilities[3];
    const char *names[3] = {"basic.nack", "connection.blocked", "consumer_cancel_notify"};
    for (int index = 0; index < 3; index++) {
        capabilities[index].key = amqp_cstring_bytes(names[index]);
        capabilities[index].value.kind = AMQP_FIELD_KIND_BOOLEAN;
        capabilities[index].value.value.boolean = 1;
    }
    amqp_table_entry_t entries[3];
    entries[0].key = amqp_cstring_bytes("connection_name");
    entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[0].value.value.bytes = amqp_cstring_bytes(connection_name);
    entries[1].key = amqp_cstring_bytes("product");
    entries[1].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[1].value.value.bytes = amqp_cstring_bytes("Waybill RabbitMQ");
    entries[2].key = amqp_cstring_bytes("capabilities");
    entries[2].value.kind = AMQP_FIELD_KIND_TABLE;
    entries[2].value.value.table.num_entries = 3;
    entries[2].value.value.table.entries = capabilities;
    amqp_table_t properties;
    properties.num_entries = 3;
    properties.entries = entries;
    return amqp_login_with_properties(
        state, vhost, channel_max, frame_max, heartbeat_seconds, &properties, AMQP_SASL_METHOD_PLAIN, user, password);
}

/// A descriptor that one thread signals and another one polls; -1 when there is none left. Swift does not import eventfd(2).
static inline int crabbitmq_wake_descriptor(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

/// Names the calling thread, for ps and debuggers; longer names are cut at 15 bytes.
static inline void crabbitmq_name_thread(const char *name) {
    prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0);
}

#endif
