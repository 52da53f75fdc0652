# shellcheck shell=bash
# crash-points.sh: every failpoint of the code, the services that have it, what has to happen beside orders so that it is reached, and
# what a crash there means. Sourced by crash-matrix.sh, which refuses to run when a point of the code is missing here or the
# other way round.
#
# point|services|stimulus|what is done and what is not when the process dies
# shellcheck disable=SC2034
readonly crash_points=(
    'store.before-begin|order payment inventory notification analytics||a group of units has not begun'
    'store.after-unit|order payment inventory notification analytics||one unit of the group has run'
    'store.before-commit|order payment inventory notification analytics||all units have run, nothing is durable'
    'store.after-commit|order payment inventory notification analytics||everything is durable, nobody was told'
    'relay.amqp.before-publish|order payment inventory||committed, the broker has seen nothing'
    'relay.amqp.before-mark|order payment inventory||confirmed by the broker, no row says so'
    'relay.amqp.after-mark|order payment inventory||confirmed and marked'
    'relay.kafka.before-publish|order payment inventory||committed, the log has seen nothing'
    'relay.kafka.before-mark|order payment inventory||acknowledged by the log, no row says so'
    'relay.kafka.after-mark|order payment inventory||acknowledged and marked'
    'inbox.before-handling|order payment inventory||delivered, not looked at'
    'inbox.after-handler|order payment inventory||inbox row and effects written, not committed'
    'inbox.before-ack|order payment inventory||effects committed, not acknowledged'
    'inbox.after-ack|order payment inventory||acknowledged'
    'events.before-handling|order notification analytics|catalog|read from the log, not looked at'
    'events.after-handler|order notification analytics|catalog|effects written, the offset not yet'
    'events.before-ack|order notification analytics|catalog|effects and offset committed'
    'offsets.before-commit|order notification analytics|catalog|the broker does not know the offset'
    'offsets.after-commit|order notification analytics|catalog|the broker knows the offset'
    'deadlines.before-fire|order|deadline|due, not fired'
    'deadlines.after-handler|order|deadline|the handler has run, not committed'
    'deadlines.after-fire|order|deadline|fired and committed'
    'takeover.before-open|order payment inventory notification analytics|kill|the lock is taken, the database not opened'
    'takeover.after-epoch|order payment inventory notification analytics|kill|a new term has begun'
    'takeover.before-work|order payment inventory notification analytics|kill|what was under way is recovered, nothing runs'
    'placement.before-answer|order||the order is durable, the client does not know'
    'cancellation.before-answer|order||the cancellation is durable, the client does not know'
    'republish.after-page|order|republish|open commands are asked for again, the operator does not know'
    'gateway-call.before-row|payment|no-gateway|certainly not sent before, no row says that it is being called'
    'gateway-call.before-send|payment||the row says so, nothing was sent'
    'gateway-call.after-answer|payment||the gateway has answered, nobody else knows'
    'gateway-call.before-settlement|payment||the answer is about to be stored'
    'gateway-call.after-settlement|payment||the answer is stored'
    'gateway-look-up.before-send|payment||the gateway is about to be asked by key'
    'gateway-look-up.after-answer|payment||the gateway has told, nothing is stored'
    'gateway-callback.before-row|payment||a signed callback is not stored'
    'gateway-callback.before-answer|payment||the callback is stored, the gateway does not know'
    'webhook.before-attempt|notification||the row says that it is being sent, nothing was'
    'webhook.after-attempt|notification||the receiver has answered, no row says so'
    'webhook.after-row|notification||the outcome is stored'
    'rebuild.before-batch|analytics|rebuild|in the middle of a rebuild'
    'rebuild.before-comparison|analytics|rebuild|rebuilt, not compared'
    'dead-letters.before-record|order payment inventory|poison|a dead letter is in its queue'
    'dead-letters.before-ack|order payment inventory|poison|the dead letter is in the table and in the queue'
    'requeue.before-journal|order payment inventory|requeue|sent back and marked, not journalled, not committed'
    'requeue.before-answer|order payment inventory|requeue|committed, the operator does not know'
    'requeue-job.before-send|order payment inventory|requeue-job|a batch of a job is chosen'
    'requeue-job.after-send|order payment inventory|requeue-job|the batch is committed'
    'card.ledger.before-write|gateway||decided, not in the ledger'
    'card.ledger.before-sync|gateway||written, not synced'
    'card.before-answer|gateway||in the ledger, the caller does not know'
    'card.late.after-journal|gateway||a late charge is taken on'
    'card.late.before-landing|gateway||a late charge is about to land'
    'card.late.after-landing|gateway||it has landed, nobody was told'
    'card.callback.before-send|gateway||a callback is about to be sent'
    'card.callback.after-send|gateway||a callback was taken'
    'log.before-write|event-log||offsets are given out, nothing is written'
    'log.before-sync|event-log||written, not synced'
    'log.before-ack|event-log||synced, nobody was told'
    'log.journal.before-write|event-log||offsets of a group are not written'
    'log.journal.before-sync|event-log||written, not synced'
    'log.journal.before-ack|event-log||synced, nobody was told'
)

# Cells of the quick run: one from each family, a few seconds each.
# shellcheck disable=SC2034
readonly quick_cells=(
    'store.before-commit@order' 'relay.amqp.before-mark@inventory' 'inbox.before-ack@payment' 'gateway-call.after-answer@payment'
    'webhook.after-attempt@notification' 'events.before-ack@analytics' 'log.before-sync@event-log' 'requeue.before-answer@inventory'
)

# Prints the points that stand in the code and not in the table, and the other way round; nothing when they agree.
crash_points_differ() {
    diff <(grep -rhoE --include='*.swift' 'Failpoints\.reach\("[a-z.-]+"' "$root/Sources" "$root/services" | cut -d'"' -f2 | sort -u) \
        <(printf '%s\n' "${crash_points[@]}" | cut -d'|' -f1 | sort -u) | sed -n 's/^< /in the code only: /p; s/^> /in the table only: /p'
}
