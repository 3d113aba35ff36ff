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
        let (kept, defaults) = (request.kept, blocks.defaults)
        var length = model.count + 1
        for run in kept { length += run.count + 1 }
        for parameter in defaults where !request.gives(parameter.name, bytes) {
            length += parameter.member.count
        }
        if length <= Self.largestCopy {
            text.write { text in
                putHead(blocks, operation, length, &text)
                for run in kept {
                    text.put(",")
                    text.put(bytes, run)
                }
                putEnd(defaults, request, bytes, &text)
            }
            return pieces.append(Piece(source: 0, range: text.readable))
        }
        text.write { putHead(blocks, operation, length, &$0) }
        var start = text.start
        for run in kept {
            text.append(ASCII.comma)
            pieces.append(Piece(source: 0, range: start..<text.end))
            pieces.append(Piece(source: 1, range: run))
            start = text.end
        }
        text.write { putEnd(defaults, request, bytes, &$0) }
        pieces.append(Piece(source: 0, range: start..<text.end))
    }

    /// The head, and the body up to the first member of the client's.
    @inline(__always)
    private func putHead(
        _ blocks: DeploymentBlocks, _ operation: Endpoint.Operation, _ length: Int, _ text: inout ByteWriter
    ) {
        text.put(blocks.requestHeads[operation.rawValue])
        text.put(decimal: length)
        text.put("\r\n\r\n")
        text.put(model)
    }

    /// What the deployment adds, where the client says nothing else, and the end of the body.
    @inline(__always)
    private func putEnd(
        _ defaults: [(name: [UInt8], member: [UInt8])], _ request: CompletionRequest, _ bytes: [UInt8],
        _ text: inout ByteWriter
    ) {
        for parameter in defaults where !request.gives(parameter.name, bytes) { text.put(parameter.member) }
        text.put("}")
    }
}

extension String {
    /// The first `*` replaced; the others, if there are any, stand for themselves.
    func replacingStar(with text: String) -> String {
        guard let star = firstIndex(of: "*") else { return self }
        return self[..<star] + text + self[index(after: star)...]
    }
}
