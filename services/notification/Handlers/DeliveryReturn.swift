import DurableStore
import Messaging
import Webhooks

/// Begins a delivery again whose dead letter is sent back, with a fresh budget of attempts.
struct DeliveryReturn: DeadLetterReturn {
    let administration: WebhookAdministration

    let editRefusal = Failure(
        .permanent,
        code: "delivery-not-editable",
        """
        A delivery has the same id and bytes at every attempt, or its subscriber could not tell a repetition; it is not edited. \
        Mend its endpoint (waybill webhook endpoint) and requeue it, or discard it; something else to say is another event.
        """
    )

    func sendBack(_ letter: DeadLetter, in transaction: Transaction) throws -> DeadLetterDeparture {
        guard let id = letter.headers.first(where: { $0.name == WebhookDeliveryHeaders.delivery })?.value else {
            throw Failure(.permanent, code: "not-requeueable", "The letter does not name its delivery.")
        }
        do {
            switch try administration.outlook(id, in: transaction) {
            case .delivered(let at):
                return .alreadyArrived(sentence: "It was delivered\(at.map { " at \($0)" } ?? "") in the meantime.")
            case .now:
                _ = try administration.redrive(id, in: transaction)
                return .onItsWay
            case .later(let code, let sentence):
                _ = try administration.redrive(id, in: transaction)
                return .waiting(code: code, sentence: sentence)
            }
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
