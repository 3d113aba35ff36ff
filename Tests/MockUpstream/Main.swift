import Foundation

/// `mock-upstream`: an upstream of its own process, for trying things out by hand.
@main enum Main {
    static let help = """
        usage: mock-upstream [--port PORT]... [--ipv6]

        An OpenAI-compatible upstream on loopback that misbehaves on demand. Prints the port of each listener; without
        --port the kernel picks one. Use http://127.0.0.1:PORT/NAME/v1 as a deployment's api_base; NAME is free.

        What it answers:
          1. POST /__mock/script {"NAME": [BEHAVIOUR, ...]}: one for each request, the last one for ever
          2. NAME ends in --PRESET
          3. the key is mock-PRESET
          4. else a plain success

        A BEHAVIOUR is a preset's name or an object with any of: status, headers, body, base64, size, delay, content,
        fault (reset, resetInHead, resetInBody, close, silent, stall, garbage), framing (length, chunked, close, both,
        tooShort, tooLong, badChunk), refusesPrefill; of a stream: pieces, pace, cutAfter, resetAfter, stallAfter,
        errorAfter, malformedAfter, done. Times are seconds.

        Presets: \(Behaviour.names.joined(separator: ", "))

        GET /__mock/requests[?name=NAME] tells what was received, and after how many seconds a client hung up.
        POST /__mock/reset forgets scripts and requests.
        """

    static func main() {
        var ports: [UInt16] = []
        var isIPv6 = false
        var arguments = CommandLine.arguments.dropFirst()
        while let argument = arguments.popFirst() {
            switch argument {
            case "--help": return print(help)
            case "--ipv6": isIPv6 = true
            case "--port":
                guard let port = arguments.popFirst().flatMap({ UInt16($0) }) else {
                    return fail("--port needs a number")
                }
                ports.append(port)
            default: return fail("unknown argument \(argument)")
            }
        }
        do {
            let upstreams = try (ports.isEmpty ? [0] : ports).map { try MockUpstream(port: $0, ipv6: isIPv6) }
            // Not by print, which keeps back what goes to a pipe.
            for upstream in upstreams { FileHandle.standardOutput.write(Data("\(upstream.port)\n".utf8)) }
            withExtendedLifetime(upstreams) {
                while true { sleep(3600) }
            }
        } catch {
            fail("cannot listen: \(error)")
        }
    }

    private static func fail(_ text: String) {
        FileHandle.standardError.write(Data("mock-upstream: \(text)\n".utf8))
        exit(64)
    }
}
