import Testing

@testable import Shared

/// Files that are read again and again, with a memory and without.
private struct Rereader {
    var files: [String: [UInt8]] = [:]
    var environment: [String: String] = ["KEY": "sk-1"]
    var memory: ConfigurationMemory? = ConfigurationMemory()

    mutating func read(_ text: String) -> (remembering: DecodedConfiguration, full: DecodedConfiguration) {
        files["/etc/c.yaml"] = Array(text.utf8)
        let files = files
        let reader: ConfigurationDecoder.FileReader = { path in
            files[path].map { .success($0) } ?? .failure(SystemError(call: "open", code: 2))
        }
        return (
            ConfigurationDecoder.decode(path: "/etc/c.yaml", environment: environment, &memory, readFile: reader),
            ConfigurationDecoder.decode(path: "/etc/c.yaml", environment: environment, readFile: reader)
        )
    }

    var taken: Int { memory?.taken ?? 0 }
}

private func expectSame(_ read: (remembering: DecodedConfiguration, full: DecodedConfiguration), _ about: String) {
    #expect(read.remembering.configuration.encoded() == read.full.configuration.encoded(), "\(about)")
    #expect(read.remembering.problems == read.full.problems, "\(about)")
    #expect(read.remembering.files == read.full.files, "\(about)")
}

@Suite struct ConfigurationMemoryTests {
    private static func item(_ name: String, _ rest: String = "") -> String {
        "  - model_name: \(name)\n    litellm_params:\n      model: openai/\(name)\n\(rest)"
    }

    private static func list(_ items: [String]) -> String { "model_list:\n" + items.joined() }

    private static let five = ["a", "b", "c", "d", "e"].map { item($0) }
    /// The items of `list(five)`, without the line before them.
    private static let bare = five.joined()
    private static let deeper = bare.split(separator: "\n").map { "  \($0)\n" }.joined()

    // MARK: What is taken over

    private static let changes: [(String, String, Int)] = [
        ("no change", list(five), 3),
        ("one changed", list([five[0], five[1], item("x"), five[3], five[4]]), 2),
        ("one more at the beginning", list([item("x")] + five), 3),
        ("one more in the middle", list([five[0], five[1], item("x"), five[2], five[3], five[4]]), 3),
        ("one gone", list([five[0], five[2], five[3], five[4]]), 2),
        ("the other way round", list(five.reversed()), 2),
        ("one twice", list([five[0], five[1], five[1], five[2], five[4]]), 2),
        ("a setting before them", "general_settings: {master_key: sk-1}\n" + list(five), 3),
        ("a setting behind them", list(five) + "router_settings:\n  fallbacks:\n  - a: [b]\n", 3),
        ("a line of comment before them", "# é\n" + list(five), 3),
        ("others elsewhere", "include:\n  - a.yaml\n" + list(five), 3),
    ]

    @Test(arguments: changes)
    func takesOverWhatItKnows(_ change: String, _ text: String, _ taken: Int) {
        var reader = Rereader()
        expectSame(reader.read(Self.list(Self.five)), change)
        #expect(reader.taken == 0)
        expectSame(reader.read(text), change)
        #expect(reader.taken == taken)
        // What has been taken over is remembered as well.
        expectSame(reader.read(text), change)
        #expect(reader.taken >= taken)
    }

    @Test(arguments: [
        ("a warning", item("x", "      modl: y\n"), 2),
        ("an error", item("x", "      rpm: y\n"), 2),
        ("an anchor", item("x", "      stop: &a y\n"), 2),
        ("a tag", item("x", "      stop: !!str y\n"), 2),
        ("a comment first", "  - # x\n    model_name: x\n    litellm_params: {model: openai/x}\n", 1),
        ("an unset variable", item("x", "      api_key: os.environ/NOT\n"), 2),
        ("a line like an item", item("x", "      stop: \"a\n  - b\"\n"), 2),
    ])
    func readsAgainWhatMoreIsToSayOf(_ kind: String, _ item: String, _ taken: Int) {
        var reader = Rereader()
        let text = Self.list([Self.five[0], Self.five[1], item, Self.five[2], Self.five[3]])
        _ = reader.read(text)
        expectSame(reader.read("# moved\n" + text), kind)
        #expect(reader.taken == taken)
    }

    private static let others: [(String, String)] = [
        ("a quote is opened", "x: \"\n" + list(five) + "\"\n"),
        ("a block scalar is opened", "x: |\n" + deeper),
        ("another key", "models:\n" + bare),
        ("twice", list(five) + list(five)),
        ("an anchor", "model_list: &a\n" + bare + "x: *a\n"),
        ("an anchor on a line of its own", "model_list:\n  &a\n" + bare + "x: *a\n"),
        ("an alias", "x: &a\n" + bare + "model_list: *a\n"),
        ("within another list", "model_list:\n - a:\n" + bare),
        ("a second document", list(five) + "---\n" + list(five)),
        ("an error at the end", list(five) + "x: [\n"),
        ("no model list", list(five).replacing("model_list", with: "model_lists")),
    ]

    @Test(arguments: others)
    func takesNothingOverWhereTheListIsAnother(_ change: String, _ text: String) {
        var reader = Rereader()
        _ = reader.read(Self.list(Self.five))
        expectSame(reader.read(text), change)
        #expect(reader.taken == 0)
    }

    @Test func anotherEnvironmentIsAnotherConfiguration() {
        let text = Self.list(Self.five.map { $0 + "      api_key: os.environ/KEY\n" })
        var reader = Rereader()
        _ = reader.read(text)
        _ = reader.read(text)
        #expect(reader.taken == 3)
        reader.environment["KEY"] = "sk-2"
        expectSame(reader.read(text), "a variable has changed")
        #expect(reader.taken == 0)
        expectSame(reader.read("environment_variables: {KEY: sk-3}\n" + text), "a variable is given in the file")
        #expect(reader.taken == 0)
    }

    @Test func aFileWithAnErrorDoesNotMakeItForget() {
        var reader = Rereader()
        let text = Self.list(Self.five)
        _ = reader.read(text)
        expectSame(reader.read("a: [\n" + text), "an error before the list")
        expectSame(reader.read(text), "as it was")
        #expect(reader.taken == 3)
    }

    @Test func placesOfIDsAreThoseOfTheText() {
        var reader = Rereader()
        let items = Self.five.enumerated().map { $1 + "    model_info: {id: id-\($0)}\n" }
        _ = reader.read(Self.list(items))
        let read = reader.read("# moved\n" + Self.list(items + [items[2]]))
        expectSame(read, "an id twice")
        #expect(reader.taken == 3)
        #expect(read.full.problems.count == 1)
        let hiding = reader.read(Self.list([Self.item("id-1")] + items))
        expectSame(hiding, "an id that hides a model")
        #expect(reader.taken == 3)
        #expect(hiding.full.problems.map(\.path) == ["model_list[2].model_info.id"])
    }

    // MARK: Any text

    /// Whatever is edited, wherever: what comes out is what a read from nothing gives.
    @Test(arguments: 0..<8)
    func saysWhatAFullReadSays(_ part: Int) {
        var taken = 0
        for seed in 0..<120 {
            var random = FastRandom(seed: UInt64(part * 1000 + seed) &* 0x9E37_79B9_7F4A_7C15 | 1)
            var reader = Rereader()
            var text = RandomText(using: &random)
            var included = RandomText(using: &random)
            for step in 0..<12 {
                if step > 0 { text.edit(using: &random) }
                if Int.random(in: 0..<4, using: &random) == 0 { included.edit(using: &random) }
                if Int.random(in: 0..<12, using: &random) == 0 {
                    reader.environment["KEY"] = ["sk-1", "sk-2"].randomElement(using: &random)
                }
                reader.files["/etc/b.yaml"] = Array(included.text.utf8)
                let read = reader.read(text.text)
                let isSame =
                    read.remembering.configuration.encoded() == read.full.configuration.encoded()
                    && read.remembering.problems == read.full.problems && read.remembering.files == read.full.files
                taken += reader.taken
                guard isSame else {
                    Issue.record(
                        """
                        part \(part), seed \(seed), step \(step): taken over \(reader.taken)
                        \(read.remembering.problems) instead of \(read.full.problems)
                        \(text.text.debugDescription)
                        """)
                    return
                }
            }
        }
        #expect(taken > 400)
    }
}

/// A configuration made of pieces that are hard to tell apart, and edits of it.
private struct RandomText {
    private(set) var text = ""
    private var indent: Int
    private var head: [String]
    private var items: [String]
    private var tail: [String]
    private var breaks = "\n"

    private static let heads = [
        "# comment\n", "\n", "include: [b.yaml]\n", "include:\n  - b.yaml\n", "general_settings: {master_key: sk-1}\n",
        "litellm_settings:\n  drop_params: true\n", "x: &a {api_base: \"http://h/v1\"}\n", "---\n", "%YAML 1.1\n---\n",
        "x: \"a\n  - model_name: m1\n  b\"\n", "x: |\n  - a\n  - b\n", "<<: {tagway: {workers: 2}}\n", "é: 1\n",
        "environment_variables: {KEY: sk-3}\n", "router_settings: {model_group_alias: {a: m1, m2: m3}}\n",
    ]

    private static let tails = [
        "# comment\n", "\n", "general_settings: {master_key: sk-1}\n", "router_settings:\n  fallbacks:\n  - m1: [m2]\n",
        "tagway:\n  listen:\n  - 127.0.0.1:4000\n", "x: *a\n", "...\n", "litellm_settings: {num_retries: x}\n",
        "x:\n- model_name: m1\n- model_name: m2\n", "model_list: []\n",
    ]

    /// Behind `- `, lines below not indented.
    private static let kinds = [
        "model_name: @\n  litellm_params: {model: openai/@}\n",
        "model_name: @\n  litellm_params:\n    model: openai/@\n    tags: [a, b]\n  model_info: {id: id-@}\n",
        "model_name: @\n  litellm_params:\n    model: openai/@\n    api_key: os.environ/KEY\n",
        "model_name: @\n  litellm_params:\n    model: openai/@\n    api_key: os.environ/NOT\n",
        "model_name: @ # comment\n\n  # comment\n  litellm_params:\n    model: openai/@\n\n# comment\n\n",
        "model_name: @\n  litellm_params:\n    model: openai/@\n    tags:\n    - a\n    - b\n",
        "model_name: @\n  litellm_params:\n    model: openai/@\n    stop: \"a\n\n      - b\"\n",
        "model_name: @\n  litellm_params:\n    model: openai/@\n    mock_response: |\n      - x\n\n      y\n\n",
        "model_name: @\n  litellm_params:\n    model: openai/@\n    mock_response: >+\n      - x\n\n\n",
        "model_name: @\n  litellm_params:\n    model: openai/@\n    mock_response: it\n      goes on\n",
        "{model_name: @, litellm_params: {model: openai/@,\n  tags: [a]}}\n",
        "{\"model_name\": \"@\",\n  'litellm_params': {model: openai/@}, model_info: {id: m1}}\n",
        "model_name: @\n  litellm_params: &p {model: openai/@}\n",
        "model_name: @\n  litellm_params: *p\n",
        "model_name: @\n  litellm_params: {<<: *a, model: openai/@}\n",
        "model_name: @\n  litellm_params: {model: !!str openai/@}\n",
        "model_name: @\n  model_name: @\n  litellm_params: {model: openai/@, rpm: 1, rpm: 2}\n",
        "model_name: @\n  litellm_params: {model: openai/@, rpm: many}\n",
        "model_name: @\n  litellm_params: {model: bedrock/@}\n",
        "model_name: @\n  litellm_params: {modl: openai/@}\n",
        "model_name: é-@\n  litellm_params: {model: openai/日本}\n",
        "# comment first\n  model_name: @\n  litellm_params: {model: openai/@}\n",
        "\n  model_name: @\n  litellm_params: {model: openai/@}\n",
        "  model_name: @\n    litellm_params: {model: openai/@}\n",
        "? model_name\n  : @\n  ? litellm_params\n  : {model: openai/@}\n",
        "model_name: @\n  litellm_params: {model: openai/@}\n  ? model_info\n",
        "- model_name: @\n", "@\n", "\n", "~\n", "\"@\n  - x\"\n", "|\n  - x\n", "[a,\n  b]\n", "*p\n",
    ]

    private static let scraps = [
        "\"", "'", "|\n", ">\n", "&a ", "*a", "!!str ", "- ", "\n  - x: 1\n", "\n- x\n", "#", " #", "\r", "\r\n",
        "\u{85}", "\u{2028}", "\t", "\n---\n", "\n...\n", "{", "}", "[", "]", ": ", "? ", "<<: ", " ", "  ", "\n",
        "\n\n", "é",
        "\u{0}", "%", "\u{FEFF}", ",", "x", "\nmodel_list:\n", "m1", "\r  - model_name: m1", "\"\n  - \"",
    ]

    init(using random: inout FastRandom) {
        indent = [0, 0, 2, 2, 2, 4, 1].randomElement(using: &random) ?? 2
        head = (0..<Int.random(in: 0..<3, using: &random)).compactMap { _ in Self.heads.randomElement(using: &random) }
        tail = (0..<Int.random(in: 0..<2, using: &random)).compactMap { _ in Self.tails.randomElement(using: &random) }
        items = []
        for _ in 0..<Int.random(in: 2..<12, using: &random) { items.append(Self.item(using: &random)) }
        if Int.random(in: 0..<8, using: &random) == 0 { breaks = "\r\n" }
        render()
    }

    private static func item(using random: inout FastRandom) -> String {
        // Mostly of the kinds that are taken over.
        let range = Int.random(in: 0..<3, using: &random) == 0 ? 0..<kinds.count : 0..<12
        let name = "m\(Int.random(in: 1..<5, using: &random))"
        return kinds[Int.random(in: range, using: &random)].replacing("@", with: name)
    }

    mutating func edit(using random: inout FastRandom) {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: break
        case 1: head = [Self.heads.randomElement(using: &random) ?? ""]
        case 2: tail = [Self.tails.randomElement(using: &random) ?? ""]
        case 3: indent = [0, 2, 4].randomElement(using: &random) ?? 2
        case 4, 5: items.insert(Self.item(using: &random), at: Int.random(in: 0...items.count, using: &random))
        case 6: if items.count > 2 { items.remove(at: Int.random(in: 0..<items.count, using: &random)) }
        case 7: items.swapAt(0, Int.random(in: 0..<items.count, using: &random))
        default: items[Int.random(in: 0..<items.count, using: &random)] = Self.item(using: &random)
        }
        let goesOn = Int.random(in: 0..<4, using: &random) == 0
        if !goesOn { render() }
        for _ in 0..<Int.random(in: 0..<3, using: &random) { scribble(using: &random) }
    }

    private mutating func render() {
        let blanks = String(repeating: " ", count: indent)
        let list = items.map { item in
            let lines = item.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            return lines.enumerated().map { index, line in
                index == 0 ? "\(blanks)- \(line)\n" : line.isEmpty ? "\n" : "\(blanks)\(line)\n"
            }.joined()
        }
        text = (head + ["model_list:\n"] + list + tail).joined()
        if breaks != "\n" { text = text.replacing("\n", with: breaks) }
    }

    /// Something anywhere: put in, taken out, or in another's place.
    private mutating func scribble(using random: inout FastRandom) {
        var scalars = Array(text.unicodeScalars)
        let start = Int.random(in: 0...scalars.count, using: &random)
        let length = [0, 0, 1, 2, 20].randomElement(using: &random) ?? 0
        let scrap = Int.random(in: 0..<4, using: &random) == 0 ? "" : Self.scraps.randomElement(using: &random) ?? ""
        scalars.replaceSubrange(start..<min(scalars.count, start + length), with: Array(scrap.unicodeScalars))
        var changed = String.UnicodeScalarView()
        changed.append(contentsOf: scalars)
        text = String(changed)
    }
}
