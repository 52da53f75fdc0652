public import Messaging

/// Reads `Retry-After` (RFC 9110, section 10.2.3): whole seconds or an IMF-fixdate.
public enum RetryAfter {
    /// No answer holds an endpoint for longer than this.
    public static let maximum: Duration = .seconds(86_400)

    /// The point in time that a value means, at most 24 h from `now`; `nil` when it cannot be read or lies in the past.
    public static func time(_ value: String, at now: Timestamp) -> Timestamp? {
        let text = value.drop { $0 == " " || $0 == "\t" }
        let trimmed = String(text.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
        let latest = now.advanced(by: maximum)
        if !trimmed.isEmpty, trimmed.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            // More digits than any delay needs: the cap.
            guard trimmed.utf8.count <= 9, let seconds = Int64(trimmed) else { return latest }
            return seconds == 0 ? nil : min(latest, now.advanced(byMilliseconds: seconds * 1000))
        }
        guard let date = fixdate(trimmed), date > now else { return nil }
        return min(latest, date)
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let days: Set<Substring> = ["Mon,", "Tue,", "Wed,", "Thu,", "Fri,", "Sat,", "Sun,"]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func fixdate(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 6, text.utf8.count == 29, days.contains(parts[0]), parts[5] == "GMT",
            parts[1].utf8.count == 2,
            parts[3].utf8.count == 4, parts[4].utf8.count == 8, let month = months.firstIndex(of: String(parts[2]))
        else { return nil }
        let number = month + 1
        return Timestamp("\(parts[3])-\(number < 10 ? "0" : "")\(number)-\(parts[1])T\(parts[4])Z")
    }
}
