import Testing

@testable import ServiceKit

@Suite struct SamplingPaceTests {
    @Test func whatTakesLongIsAskedMoreRarely() {
        var pace = SamplingPace()
        let start = ContinuousClock.now
        #expect(pace.isDue(at: start))
        pace.sampled(from: start, to: start + .milliseconds(10))
        #expect(pace.isDue(at: start + .seconds(1)))
        pace.sampled(from: start, to: start + .milliseconds(500))
        #expect(!pace.isDue(at: start + .seconds(10)))
        #expect(pace.isDue(at: start + .milliseconds(10_500)))
        pace.sampled(from: start, to: start + .seconds(5))
        #expect(!pace.isDue(at: start + .seconds(64)))
        #expect(pace.isDue(at: start + .seconds(65)))
    }
}
