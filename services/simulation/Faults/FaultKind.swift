/// Everything that the simulated world can do to the system. Each seed draws its own subset.
public enum FaultKind: String, Sendable, CaseIterable {
    // The command broker
    case publishRefused = "publish-refused"
    case publishLost = "publish-lost"
    case confirmLost = "confirm-lost"
    case publishDelayed = "publish-delayed"
    case messageStuck = "message-stuck"
    case queueDeleted = "queue-deleted"
    case queueWiped = "queue-wiped"
    case brokerRestart = "broker-restart"
    case brokerOutage = "broker-outage"
    case connectionBlocked = "connection-blocked"
    case messageDuplicated = "message-duplicated"
    case messageReordered = "message-reordered"
    case acknowledgementLost = "acknowledgement-lost"
    case staleMessage = "stale-message"
    case poisonMessage = "poison-message"
    case messageIDReused = "message-id-reused"
    case answerAboutNobody = "answer-about-nobody"
    case slowConsumer = "slow-consumer"
    case handlerFails = "handler-fails"
    case deadlineFails = "deadline-fails"

    // Processes and their disks
    case killIdle = "kill-idle"
    case killAll = "kill-all"
    case crashWhileStarting = "crash-while-starting"
    case crashBeforeBegin = "crash-before-begin"
    case crashAfterUnit = "crash-after-unit"
    case crashBeforeCommit = "crash-before-commit"
    case crashAfterCommit = "crash-after-commit"
    case crashAfterPublish = "crash-after-publish"
    case crashBeforeAcknowledgement = "crash-before-acknowledgement"
    case crashDuringCall = "crash-during-gateway-call"
    case crashAfterAnswer = "crash-after-gateway-answer"
    case crashDuringWebhook = "crash-during-webhook"
    case freezeTakeover = "freeze-and-takeover"
    case diskFull = "disk-full"

    // The event log
    case appendRefused = "append-refused"
    case appendConfirmLost = "append-confirm-lost"
    case logOutage = "log-outage"
    case offsetsRewound = "offsets-rewound"
    case slowReader = "slow-reader"
    case eventHandlerFails = "event-handler-fails"

    // The card gateway
    case gatewayUnreachable = "gateway-unreachable"
    case gatewayOutage = "gateway-outage"
    case gatewayTimeoutCharged = "gateway-timeout-charged"
    case gatewayTimeoutNotCharged = "gateway-timeout-not-charged"
    case gatewayError = "gateway-500"
    case gatewayGarbage = "gateway-garbage"
    case gatewayTurnsAway = "gateway-422"
    case gatewayArrivesLate = "gateway-request-arrives-late"
    case lookUpFails = "look-up-fails"
    case callOverlaps = "call-overlaps"
    case callbackLost = "callback-lost"
    case callbackDuplicated = "callback-duplicated"
    case callbackStale = "callback-stale"
    case callbackEarly = "callback-early"
    case callbackForged = "callback-forged"
    case callbackMismatched = "callback-mismatched"

    // Time
    case clockForward = "clock-forward"
    case clockBackward = "clock-backward"
    case timeLeap = "time-leap"

    // Subscribers
    case receiverError = "receiver-500"
    case receiverTimeout = "receiver-timeout"
    case receiverAnswerLost = "receiver-answer-lost"
    case receiverGone = "receiver-410"
    case receiverBusy = "receiver-429"

    // Clients
    case clientCancels = "client-cancels"
    case clientRepeats = "client-repeats"
    case clientReusesKey = "client-reuses-key"
    case answerLost = "answer-lost"

    /// Its place among all kinds, from 0, without asking for its name, which is what its hash is made of.
    ///
    /// Cases without values are one byte, counted in the order of their declaration.
    var index: Int { withUnsafeBytes(of: self) { Int($0[0]) } }

    /// How often a fault happens, per 10,000 occasions: the least and the most that a seed may draw.
    var rates: ClosedRange<Int> {
        switch self {
        case .publishRefused, .publishLost, .confirmLost, .publishDelayed: 100...2000
        case .messageStuck: 50...600
        case .messageDuplicated, .messageReordered, .acknowledgementLost: 100...2500
        case .handlerFails: 50...600
        case .eventHandlerFails: 10...300
        case .deadlineFails: 500...5000
        case .slowConsumer, .slowReader: 500...5000
        case .queueWiped: 2...80
        case .queueDeleted, .brokerRestart, .brokerOutage, .connectionBlocked: 2...30
        case .staleMessage: 20...200
        case .poisonMessage, .messageIDReused, .answerAboutNobody: 5...60
        case .killIdle, .freezeTakeover: 2...30
        case .killAll: 1...8
        case .crashWhileStarting: 500...4000
        case .crashBeforeBegin, .crashAfterUnit, .crashBeforeCommit, .crashAfterCommit, .diskFull: 5...120
        case .crashAfterPublish, .crashBeforeAcknowledgement: 20...300
        case .crashDuringCall, .crashAfterAnswer, .crashDuringWebhook: 50...500
        case .appendRefused, .appendConfirmLost: 100...2000
        case .logOutage, .offsetsRewound, .gatewayOutage: 2...40
        case .gatewayUnreachable, .gatewayTimeoutCharged, .gatewayTimeoutNotCharged, .gatewayError, .gatewayGarbage:
            100...2500
        case .gatewayArrivesLate: 50...800
        case .gatewayTurnsAway: 20...800
        case .lookUpFails: 200...4000
        case .callOverlaps: 500...5000
        case .callbackLost, .callbackDuplicated, .callbackStale: 300...5000
        case .callbackEarly: 500...4000
        case .callbackForged, .callbackMismatched: 5...80
        case .clockForward, .clockBackward: 2...30
        case .timeLeap: 2...40
        case .receiverError, .receiverTimeout, .receiverAnswerLost: 200...4000
        case .receiverGone: 20...300
        case .receiverBusy: 50...800
        case .clientCancels: 20...250
        case .clientRepeats: 20...200
        case .clientReusesKey: 5...60
        case .answerLost: 200...3000
        }
    }
}
