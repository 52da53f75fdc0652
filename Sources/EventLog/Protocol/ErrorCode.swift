/// A Kafka error code as it is on the wire. Numbers: "Error Codes" in the protocol guide of Apache Kafka 3.0.
struct ErrorCode: RawRepresentable, Hashable, Sendable {
    var rawValue: Int16

    static let none = ErrorCode(rawValue: 0)
    static let unknownServerError = ErrorCode(rawValue: -1)
    static let offsetOutOfRange = ErrorCode(rawValue: 1)
    static let corruptMessage = ErrorCode(rawValue: 2)
    static let unknownTopicOrPartition = ErrorCode(rawValue: 3)
    static let messageTooLarge = ErrorCode(rawValue: 10)
    static let offsetMetadataTooLarge = ErrorCode(rawValue: 12)
    static let coordinatorNotAvailable = ErrorCode(rawValue: 15)
    static let invalidTopic = ErrorCode(rawValue: 17)
    static let recordListTooLarge = ErrorCode(rawValue: 18)
    static let invalidRequiredAcks = ErrorCode(rawValue: 21)
    static let illegalGeneration = ErrorCode(rawValue: 22)
    static let inconsistentGroupProtocol = ErrorCode(rawValue: 23)
    static let invalidGroupId = ErrorCode(rawValue: 24)
    static let unknownMemberId = ErrorCode(rawValue: 25)
    static let invalidSessionTimeout = ErrorCode(rawValue: 26)
    static let rebalanceInProgress = ErrorCode(rawValue: 27)
    static let unsupportedVersion = ErrorCode(rawValue: 35)
    static let topicAlreadyExists = ErrorCode(rawValue: 36)
    static let invalidPartitions = ErrorCode(rawValue: 37)
    static let invalidReplicationFactor = ErrorCode(rawValue: 38)
    static let invalidReplicaAssignment = ErrorCode(rawValue: 39)
    static let invalidConfig = ErrorCode(rawValue: 40)
    static let invalidRequest = ErrorCode(rawValue: 42)
    static let unsupportedForMessageFormat = ErrorCode(rawValue: 43)
    static let policyViolation = ErrorCode(rawValue: 44)
    static let outOfOrderSequence = ErrorCode(rawValue: 45)
    static let duplicateSequence = ErrorCode(rawValue: 46)
    static let invalidProducerEpoch = ErrorCode(rawValue: 47)
    static let storageError = ErrorCode(rawValue: 56)
    static let nonEmptyGroup = ErrorCode(rawValue: 68)
    static let groupIdNotFound = ErrorCode(rawValue: 69)
    static let fencedLeaderEpoch = ErrorCode(rawValue: 74)
    static let unknownLeaderEpoch = ErrorCode(rawValue: 75)
    static let unsupportedCompressionType = ErrorCode(rawValue: 76)
    static let memberIdRequired = ErrorCode(rawValue: 79)
    static let groupMaxSizeReached = ErrorCode(rawValue: 81)
    static let fencedInstanceId = ErrorCode(rawValue: 82)
    static let invalidRecord = ErrorCode(rawValue: 87)
    static let unknownTopicId = ErrorCode(rawValue: 100)
    static let unsupportedEndpointType = ErrorCode(rawValue: 115)
}

/// Why something that was asked for is not done, and a sentence where the code does not say it all.
struct Refusal: Error {
    let code: ErrorCode
    let reason: String?

    init(_ code: ErrorCode, _ reason: String? = nil) {
        self.code = code
        self.reason = reason
    }
}
