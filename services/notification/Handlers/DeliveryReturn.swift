import DurableStore
import Messaging
import Webhooks

/// Begins a delivery again whose dead letter is sent back, with a fresh budget of attempts.
struct DeliveryReturn: DeadLetterReturn {
    let administration: WebhookAdministration

    func sendBack(_ letter: DeadLetter, in transaction: Transaction) throws {
        guard let id = letter.headers.first(where: { $0.name == WebhookDeliveryHeaders.delivery })?.value else {
            throw Failure(.permanent, code: "not-requeueable", "The letter does not name its delivery.")
        }
        do {
            _ = try administration.redrive(id, in: transaction)
        } catch let fault as WebhookAdministration.Fault {
            throw Self.failure(fault)
        }
    }

    private static func failure(_ fault: WebhookAdministration.Fault) -> Failure {
        switch fault {
        case .conflict(let code, let sentence): Failure(.permanent, code: code, sentence)
        case .unknown: Failure(.permanent, code: "unknown-delivery", "The delivery or its endpoint is gone.")
        case .invalid:
            Failure(.permanent, code: "endpoint-invalid", "The settings of its endpoint are not valid any more.")
        }
    }
}
