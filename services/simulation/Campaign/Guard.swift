/// A guard of the system that a debug build can switch off, one at a time, to show that a checker notices.
public struct Guard: Sendable {
    /// The name in code: `Sabotage.isOn("…")`.
    public let name: String
    /// What happens while it is off.
    public let mistake: String

    private init(_ name: String, _ mistake: String) {
        self.name = name
        self.mistake = mistake
    }

    /// Every guard.
    public static let all: [Guard] = [
        Guard("mark-before-publish", "The relay marks a row as published, then publishes it."),
        Guard("failed-publish-is-confirmed", "The relay takes a failed publish for a confirm."),
        Guard("unroutable-is-confirmed", "A message that no queue takes counts as confirmed (`mandatory` off)."),
        Guard("order-of-a-key-ignored", "The relay sends the rows of one key in any order."),
        Guard("acknowledge-before-commit", "The consumer loop acknowledges before the effects are committed."),
        Guard("inbox-check-skipped", "A message that was handled before is handled again."),
        Guard("inbox-in-its-own-transaction", "The inbox row is committed before the effects."),
        Guard("reused-id-is-a-duplicate", "Another content under a known id is taken for a duplicate."),
        Guard("retry-dropped", "A message that failed is acknowledged and not tried again."),
        Guard("dead-letter-dropped", "A message that cannot be handled is acknowledged and forgotten."),
        Guard("offset-before-effects", "Offsets are committed before the effects of their records."),
        Guard("deadline-in-its-own-transaction", "A deadline's row is deleted before what it does is committed."),
        Guard("failed-unit-not-rolled-back", "What a failed unit of work wrote stays."),
        Guard("answer-before-commit", "The store answers before the commit."),
        Guard("idempotency-key-not-stored", "A placed order does not remember its Idempotency-Key."),
        Guard("request-hash-unchecked", "The same Idempotency-Key with another body gets the first answer."),
        Guard("cancel-without-asking-payment", "An order is cancelled without taking its payment back."),
        Guard("compensation-asked-once", "A compensation that is not answered is not asked for again."),
        Guard("commit-asked-once", "The consumption of stock that is not answered is not asked for again."),
        Guard("no-deadline", "An order waits for answers without a deadline."),
        Guard("status-without-event", "A change of status writes no event."),
        Guard("sequence-not-counted", "All events of an order have the sequence 1."),
        Guard("timeout-is-a-refusal", "A timeout of the gateway counts as a refusal."),
        Guard("turned-away-is-a-refusal", "A repeated call that is turned away ends one that may have been taken."),
        Guard("new-key-per-call", "Each call to the gateway has a new idempotency key."),
        Guard("abandoned-not-watched", "An intent that was given up is never looked at again."),
        Guard("late-charge-ignored", "A charge that lands after everything was given up is ignored."),
        Guard("payment-tombstone-missing", "A payment that was cancelled before it began is not remembered."),
        Guard("void-skipped", "A cancelled authorization is not set free."),
        Guard("refund-not-booked", "A refund is not posted to the ledger."),
        Guard("callback-signature-unchecked", "Callbacks are believed without a signature."),
        Guard("callback-amount-unchecked", "Callbacks and answers about another amount are believed."),
        Guard("stock-level-unchecked", "Stock is reserved whether there is enough or not."),
        Guard("partial-reservation", "Only the first line of an order is set aside."),
        Guard("release-keeps-stock", "A released reservation keeps its pieces."),
        Guard("stock-tombstone-missing", "A release that comes before its reservation is not remembered."),
        Guard("stock-sold-twice", "A reservation that was consumed is consumed again."),
        Guard("webhook-id-per-attempt", "Each attempt of a webhook has another id."),
        Guard("webhook-body-changes", "A webhook's bytes change from attempt to attempt."),
        Guard("webhook-failure-is-success", "Any answer of a subscriber counts as taken."),
        Guard("webhooks-not-recovered", "What was on the wire when the process died is not sent again."),
        Guard("fanout-forgets-events", "Some events are not passed on to subscribers."),
    ]
}
