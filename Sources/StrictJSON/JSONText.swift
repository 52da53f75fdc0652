/// Rules about single characters.
enum JSONText {
    /// False for C0 and C1 controls, DEL, line and paragraph separators and the bidirectional controls
    /// (Unicode 15, property `Bidi_Control`).
    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F: false
        case 0x061C, 0x200E, 0x200F, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069: false
        default: true
        }
    }
}
