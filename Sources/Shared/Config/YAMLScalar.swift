/// What a plain scalar means in YAML 1.1, as the reference's parser reads it: unquoted `on`, `off`, `yes` and `no`
/// are booleans. Pure.
enum YAMLScalar: Equatable {
    case null
    case bool(Bool)
    case int(Int)
    case float(Double)
    case string

    init(_ text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": self = .bool(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": self = .bool(false)
        default:
            guard Self.mayBeNumber(text) else {
                self = .string
                return
            }
            let digits = text.filter { $0 != "_" }
            if let value = Self.integer(digits) {
                self = .int(value)
            } else if let value = Self.float(digits) {
                self = .float(value)
            } else {
                self = .string
            }
        }
    }

    /// A sign, then a digit or a point: `_1` and names are not numbers.
    private static func mayBeNumber(_ text: String) -> Bool {
        let unsigned = text.utf8.drop { $0 == 0x2D || $0 == 0x2B }
        guard let first = unsigned.first, text.utf8.count - unsigned.count <= 1 else { return false }
        return ASCII.isDigit(first) || first == 0x2E
    }

    private static func integer(_ text: String) -> Int? {
        if text.hasPrefix("0x") || text.hasPrefix("0b") {
            let digits = text.dropFirst(2)
            guard digits.utf8.allSatisfy({ ASCII.hexValue($0) != nil }) else { return nil }
            return Int(digits, radix: text.hasPrefix("0x") ? 16 : 2)
        }
        if text.count > 1, text.hasPrefix("0"), text.allSatisfy({ ("0"..."7").contains($0) }) {
            return Int(text, radix: 8)
        }
        return Int(text)
    }

    /// YAML 1.1 wants a point; 1.2 also reads `1e3`.
    private static func float(_ text: String) -> Double? {
        guard let first = text.utf8.first, ASCII.isDigit(first) || first == 0x2D || first == 0x2B || first == 0x2E,
            text.utf8.contains(where: ASCII.isDigit),
            text.utf8.allSatisfy({ ASCII.isDigit($0) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains($0) })
        else { return nil }
        return Double(text)
    }

    func json(_ text: String) -> String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): "\(value)"
        case .float(let value): value.isFinite ? Self.format(value) : "null"
        case .string: Self.quoted(text)
        }
    }

    static func format(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    }

    static func quoted(_ text: String) -> String {
        // What nearly all are.
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != ASCII.quote && $0 != ASCII.backslash }) {
            return "\"" + text + "\""
        }
        let buffer = ByteBuffer(capacity: text.utf8.count + 16)
        buffer.append(json: text)
        return String(decoding: buffer.storage[buffer.readable], as: UTF8.self)
    }
}
