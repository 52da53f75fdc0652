import Testing

@testable import Webhooks

@Suite("Addresses that must not be called")
struct AddressTests {
    /// At least one address of every range of the specification.
    static let deniedAddresses = [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
        "198.51.100.1",
        "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "ff02::1",
        "fe80::1",
        "febf::1", "fc00::1", "fd00:ec2::254", "2001:db8::1", "3fff::1", "100::1", "64:ff9b::7f00:1", "64:ff9b:1::1",
        "2002:7f00:1::",
        "5f00::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "fec0::1", "2001::1",
        "2001:2::1",
        "2001:10::1", "2001:20::1",
    ]

    @Test(arguments: deniedAddresses)
    func denied(_ text: String) throws {
        #expect(!AddressPolicy().permits(try #require(IPAddress(text))))
    }

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "172.15.255.255", "192.0.1.1",
        "198.20.0.1",
        "223.255.255.255", "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00::1", "::ffff:8.8.8.8",
    ])
    func permitted(_ text: String) throws {
        #expect(AddressPolicy().permits(try #require(IPAddress(text))))
    }

    @Test func anAllowListOpensPrivateAddressesButNeverMetadata() throws {
        let blocks = try #require(AddressPolicy.blocks("127.0.0.0/8, ::1/128,169.254.0.0/16,fe80::/10,0.0.0.0/0,::/0"))
        let policy = AddressPolicy(allowed: blocks)
        for text in ["127.0.0.1", "::1", "10.1.1.1", "fd00::1"] {
            #expect(policy.permits(try #require(IPAddress(text))))
        }
        for text in ["169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0", "::", "255.255.255.255", "224.0.0.1"] {
            #expect(!policy.permits(try #require(IPAddress(text))))
        }
        #expect(AddressPolicy.blocks("127.0.0.0/33") == nil && AddressPolicy.blocks("abc") == nil)
        #expect(AddressPolicy.blocks("")?.isEmpty == true)
    }

    @Test(arguments: [
        "127.1", "2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "0x7f.1", "127.000.000.001", "LOCALHOST",
        "localhost.",
        "a.localhost", "127.0.0.1",
    ])
    func spellingsOfLoopbackAreRefusedAtRegistration(_ host: String) {
        let faults = EndpointSettings(url: "http://\(host):8080/hook").faults(knownTypes: nil, policy: AddressPolicy())
        #expect(faults.map(\.code) == ["blocked-address"], "\(host)")
    }

    @Test func zeroIsRefusedAndNamesAreLeftToTheAttempt() {
        #expect(!EndpointSettings(url: "http://0/").faults(knownTypes: nil, policy: AddressPolicy()).isEmpty)
        #expect(
            !EndpointSettings(url: "http://[::ffff:127.0.0.1]/").faults(knownTypes: nil, policy: AddressPolicy())
                .isEmpty
        )
        #expect(EndpointSettings(url: "https://hook.example/").faults(knownTypes: nil, policy: AddressPolicy()).isEmpty)
        #expect(
            EndpointSettings(url: "http://hook.example/").faults(
                knownTypes: nil,
                policy: AddressPolicy(requiresTLS: true)
            )
            .map(\.code) == ["https-required"]
        )
    }

    @Test(arguments: [
        ("::", "::"), ("0:0:0:0:0:0:0:1", "::1"), ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1::8", "1::8"), ("::ffff:1.2.3.4", "1.2.3.4"), ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
    ])
    func textForms(_ text: String, _ canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1::2::3", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "g::", "1.2.3.4::", "::1.2.3",
    ])
    func noAddresses(_ text: String) {
        #expect(IPAddress(text) == nil)
    }
}
