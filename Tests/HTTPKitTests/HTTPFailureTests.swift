import Foundation
import NIOCore
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

    @Test("a connection that nobody answers any more may have carried the request")
    func timeouts() {
        let failure = HTTPFailure(IOError(errnoCode: ETIMEDOUT, reason: "read"))
        #expect(failure.code == .timeout && !failure.wasNotSent)
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
