extension Check {
    /// Every check, in the order in which the table shows them.
    public static let all: [Check] =
        acceptanceChecks + orderChecks + moneyChecks + ledgerChecks + stockChecks + outboxChecks + inboxChecks
        + sagaChecks + eventLogChecks + readModelChecks + webhookChecks + deadLetterChecks
}
