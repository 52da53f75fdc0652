public import GRDB
import Webhooks

/// The tables of notification: those of the webhook sender.
public enum NotificationSchema {
    /// The migrations, oldest first; a released one is never edited.
    public static var migrations: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        WebhookSchema.register(in: &migrator)
        return migrator
    }
}
