public import ArgumentParser

/// Options that every verb has.
public struct CommonOptions: ParsableArguments, Sendable {
    /// Whether a program reads the output.
    @Flag(name: .long, help: "Print JSON on standard output: one document, or one line for each item of a stream.")
    public var json = false

    /// What the command line's parser makes them with.
    public init() {}
}
