import NIOSSL
import Testing

@testable import HTTPKit

@Suite("Failures of the layers below")
struct HTTPFailureTests {
    @Test("a TLS handshake that failed has surely come before the request")
    func handshakes() {
        let errors: [any Error] = [
            NIOSSLError.handshakeFailed(.sslError([.eofDuringHandshake])), NIOSSLError.unableToValidateCertificate,
            NIOSSLExtraError.failedToValidateHostname,
        ]
        for error in errors {
            let failure = HTTPFailure(error)
            #expect(failure.code == .tlsError && failure.wasNotSent, "\(error)")
        }
    }

    @Test("TLS that breaks later says nothing about what became of the request")
    func laterFailures() {
        let errors: [any Error] = [
            NIOSSLError.uncleanShutdown, NIOSSLError.readInInvalidTLSState, NIOSSLError.shutdownFailed(.syscallError),
            BoringSSLError.sslError([]), BoringSSLError.zeroReturn, NIOSSLExtraError.unknownPrivateKeyFileType,
        ]
        for error in errors {
            let failure = HTTPFailure(error)
            #expect(failure.code == .connectionReset && !failure.wasNotSent, "\(error)")
        }
    }
}
