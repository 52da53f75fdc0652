import Kafka
import Testing

@testable import ServiceKit

@Suite struct CommitPaceTests {
    private let partition = KafkaTopicPartition(topic: "t", partition: 0)
    private let other = KafkaTopicPartition(topic: "t", partition: 1)

    /// Reading waited for each answer, ten seconds where the group's coordinator was away.
    @Test func aCommitThatNobodyAnswersHoldsNothingUpAndWhatIsReachedMeanwhileGoesWithTheNext() {
        let start = ContinuousClock.now
        var pace = CommitPace(at: start)
        pace.add(partition, next: 5)
        #expect(pace.take(at: start + .milliseconds(999)).isEmpty)
        #expect(pace.take(at: start + .seconds(1)) == [partition: 5])
        pace.add(partition, next: 9)
        pace.add(partition, next: 7)
        pace.add(other, next: 1)
        // Asked at each read while the first is unanswered: the answer is at once, and nothing more goes out.
        for second in 2..<12 { #expect(pace.take(at: start + .seconds(second)).isEmpty) }
        pace.answered()
        #expect(pace.take(at: start + .seconds(12)) == [partition: 9, other: 1])
        pace.answered()
        #expect(pace.take(at: start + .seconds(20)).isEmpty)
    }
}
