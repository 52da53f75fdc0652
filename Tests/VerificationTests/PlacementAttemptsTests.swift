import Testing
import Verification

@Suite struct PlacementAttemptsTests {
    typealias Ending = PlacementAttempts.Ending

    private func conclusions(_ endings: Ending...) -> [PlacementAttempts.Conclusion] {
        var attempts = PlacementAttempts()
        return endings.map { attempts.conclude(from: $0) }
    }

    @Test func theFirstAnswerIsBelieved() {
        #expect(conclusions(.answered(202)) == [.placed])
        for status in [400, 404, 413, 422] { #expect(conclusions(.answered(status)) == [.refused], "\(status)") }
    }

    /// Found by `scripts/chaos.sh`: the answer to the first attempt was damaged on its way, the second request was, and the 400 that it
    /// got was taken for the end of an order that the first one had made.
    @Test("a refusal says nothing about an attempt before it whose answer was lost")
    func aRefusalSpeaksOfItsOwnAttempt() {
        for lost in [Ending.unanswered, .answered(500), .answered(503)] {
            #expect(
                conclusions(lost, .answered(400), .answered(422), .answered(202))
                    == [.askAgain, .askAgain, .askAgain, .placed]
            )
        }
    }

    @Test func whatWasNeverSentLeavesTheRefusalItsWord() {
        for nothing in [Ending.notSent, .answered(409), .answered(429)] {
            #expect(conclusions(nothing, .answered(422)) == [.askAgain, .refused])
        }
    }
}
