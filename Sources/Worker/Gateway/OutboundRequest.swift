internal import Shared

/// Writes what goes to an upstream: the request of a client with the deployment's model, key and parameters. Pure.
///
/// A small body is copied behind its head, so that one plain send does; a large one is sent from where it lies.
struct OutboundRequest {
    /// Bodies up to this size are copied.
    static let largestCopy = 16 * 1024

    /// Source 0 of `pieces`: the head, and what is put between parts of the body.
    let text: ByteBuffer
    /// In order; source 1 is the client's bytes.
    private(set) var pieces: [Piece] = []
    private let model = ByteBuffer(capacity: 64)

    /// `buffers` is where it takes memory from between `write` and `release`.
    init(from buffers: BufferPool = BufferPool(size: 2048)) {
        text = ByteBuffer(from: buffers)
    }

    /// Forgets what was written: the upstream has it.
    func release() {
        text.removeAll()
        text.rest()
    }

    /// `capture` is what a wildcard's `*` stands for.
    mutating func write(
        _ blocks: DeploymentBlocks, _ operation: Endpoint.Operation,
        _ request: CompletionRequest, _ bytes: [UInt8], capture: ArraySlice<UInt8>?
    ) {
        text.removeAll()
        text.shrink(to: 64 * 1024)
        pieces.empty()
        model.removeAll()
        if blocks.bodyStart.isEmpty {
            let captured = String(decoding: capture ?? [0x2A], as: UTF8.self)
            DeploymentBlocks.begin(model, blocks.upstreamModel.replacingStar(with: captured))
        } else {
            model.append(blocks.bodyStart)
        }
        var length = model.count + 1
        for run in request.kept { length += run.count + 1 }
        for parameter in blocks.defaults where !request.gives(parameter.name, bytes) {
            length += parameter.member.count
        }
        text.append(blocks.requestHeads[operation.rawValue])
        text.append(decimal: length)
        text.appendLineEnd()
        text.appendLineEnd()
        text.append(model.storage, model.readable)
        let isCopied = length <= Self.largestCopy
        var start = text.start
        for run in request.kept {
            text.append(ASCII.comma)
            if isCopied {
                text.append(bytes, run)
            } else {
                pieces.append(Piece(source: 0, range: start..<text.end))
                pieces.append(Piece(source: 1, range: run))
                start = text.end
            }
        }
        for parameter in blocks.defaults where !request.gives(parameter.name, bytes) {
            text.append(parameter.member)
        }
        text.append(0x7D)
        pieces.append(Piece(source: 0, range: start..<text.end))
    }
}

extension String {
    /// The first `*` replaced; the others, if there are any, stand for themselves.
    func replacingStar(with text: String) -> String {
        guard let star = firstIndex(of: "*") else { return self }
        return self[..<star] + text + self[index(after: star)...]
    }
}
