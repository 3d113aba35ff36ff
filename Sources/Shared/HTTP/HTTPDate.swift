/// Dates of RFC 9110 §5.6.7. Pure.
public enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// `seconds` since 1970-01-01 as `Sun, 06 Nov 1994 08:49:37 GMT`.
    public static func format(_ seconds: Int64) -> String {
        let day = seconds / 86400
        let time = seconds % 86400
        let (year, month, date) = civil(fromDays: day)
        return "\(days[Int(day % 7)]), \(two(date)) \(months[month - 1]) \(year) "
            + "\(two(Int(time / 3600))):\(two(Int(time / 60 % 60))):\(two(Int(time % 60))) GMT"
    }

    /// Seconds since 1970-01-01 of a date in any of the three forms that a recipient has to accept; nil for anything
    /// else. `now` says which century two digits of a year mean: never one more than 50 years ahead.
    public static func parse(_ text: String, now: Int64) -> Int64? {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        // Sun, 06 Nov 1994 08:49:37 GMT
        if parts.count == 6, parts[5] == "GMT", parts[0].count == 4, parts[0].last == "," {
            return seconds(number(parts[1], digits: 2), parts[2], number(parts[3], digits: 4), parts[4])
        }
        // Sunday, 06-Nov-94 08:49:37 GMT
        if parts.count == 4, parts[3] == "GMT", parts[0].last == "," {
            let date = parts[1].split(separator: "-", omittingEmptySubsequences: false)
            guard date.count == 3, let short = number(date[2], digits: 2) else { return nil }
            let (thisYear, _, _) = civil(fromDays: now / 86400)
            var year = thisYear / 100 * 100 + short
            if year > thisYear + 50 { year -= 100 }
            return seconds(number(date[0], digits: 2), date[1], year, parts[2])
        }
        // Sun Nov  6 08:49:37 1994
        let words = text.split(separator: " ")
        guard words.count == 5, words[0].count == 3, parts.count == (words[2].count == 1 ? 6 : 5) else { return nil }
        return seconds(
            number(words[2], digits: words[2].count == 1 ? 1 : 2), words[1], number(words[4], digits: 4), words[3])
    }

    private static func seconds(_ date: Int?, _ month: Substring, _ year: Int?, _ time: Substring) -> Int64? {
        guard let date, let year, year >= 1970, let month = months.firstIndex(where: { $0 == month }) else {
            return nil
        }
        let time = time.split(separator: ":", omittingEmptySubsequences: false).map { number($0, digits: 2) ?? -1 }
        guard time.count == 3, (0..<24).contains(time[0]), (0..<60).contains(time[1]), (0...60).contains(time[2]) else {
            return nil
        }
        let days = days(year: year, month: month + 1, day: date)
        // The 31st of February is a day in March, and none of this calendar.
        guard civil(fromDays: days) == (year, month + 1, date) else { return nil }
        return days * 86400 + Int64(time[0] * 3600 + time[1] * 60 + time[2])
    }

    /// Exactly that many digits, without a sign.
    private static func number(_ text: Substring, digits: Int) -> Int? {
        text.utf8.count == digits && text.utf8.allSatisfy(ASCII.isDigit) ? Int(text) : nil
    }

    /// Days since 1970-01-01 of a Gregorian date, by eras of 400 years that begin in March.
    private static func days(year: Int, month: Int, day: Int) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int64(era * 146_097 + dayOfEra - 719_468)
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

    /// The Gregorian date of a day since 1970-01-01, by eras of 400 years that begin in March.
    public static func civil(fromDays days: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = Int(days) + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
