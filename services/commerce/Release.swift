/// Which Waybill this is.
public enum Release {
    /// What `--version` prints; semantic versioning (https://semver.org).
    public static let version = "0.1.0"
}
