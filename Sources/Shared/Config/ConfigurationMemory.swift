/// What one read of a configuration leaves to the next: deployments, and the pieces of text that they were read from.
/// Pure.
///
/// Ten thousand deployments take libyaml and the decoder a quarter of a second, and an edit changes few of them. The
/// others are taken over as they were decoded, before anything that is decided over all deployments. How that stays
/// exact: `ListSkeleton`.
public struct ConfigurationMemory: Sendable {
    /// By path as given.
    var lists: [String: RememberedList] = [:]
    /// How many deployments the last read took over.
    var taken = 0

    public init() {}
}

/// The model list of one file.
struct RememberedList: Sendable {
    /// What `os.environ/NAME` referred to.
    let environment: [String: String]
    let text: [UInt8]
    /// Blanks before the dash of each item.
    let indent: Int
    /// In the order of the text, though not all that it has.
    var items: [RememberedItem] = []
}

/// One item whose text says all there is to say of it: no anchor, alias or tag, and no problem.
struct RememberedItem: Sendable {
    /// From the line of its dash to that of the next one, in the text of its list.
    var range: Range<Int>
    /// As libyaml counts them.
    let lines: Int
    /// Where it has its id: lines below the first one, and the column.
    let idPlace: (lines: Int, column: Int)?
    let madeID: MadeID?
    /// As it was decoded by itself.
    let deployment: Deployment
}
