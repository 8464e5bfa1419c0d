//! Exchange rates: loaded by finance, as the European Central Bank publishes them or as JSON.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date, fmt::strtime, tz::TimeZone};
use serde::{Deserialize, Serialize};
use slipstream_common::{
    act::act,
    http::{Request, Response, etag},
    problem::{FieldError, Problem},
    rates::PublishedDay,
    store::Store,
    table::Transaction,
};
use slipstream_domain::text::is_unseen;
use slipstream_events::{Currency, DayRates, ExchangeRate, PersonId};

/// The most days that one request loads.
const MAX_DAYS: usize = 400;
/// The most rates of one day.
const MAX_RATES: usize = 200;
/// The longest name of a source, in characters.
const MAX_SOURCE: usize = 100;
/// The most faults that are told at once.
const MAX_FAULTS: usize = 20;
/// What the bank's historical file still has columns for and ISO 4217 has withdrawn: nothing stands in it any more.
const WITHDRAWN: [&str; 9] = ["CYP", "EEK", "LTL", "LVL", "MTL", "ROL", "SIT", "SKK", "TRL"];

/// A file of rates, whatever form it came in.
#[derive(Debug, PartialEq, Eq)]
struct File {
    base: Currency,
    source: String,
    days: Vec<PublishedDay>,
}

/// What became of a load.
#[derive(Debug, Serialize)]
struct Loaded {
    loaded: Vec<LoadedDay>,
    unchanged: usize,
}

/// A day that has other rates now.
#[derive(Debug, Serialize)]
struct LoadedDay {
    date: Date,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<u64>,
}

/// The rates that hold on a date: today's (UTC), if the request names none. With `currency`, that one only.
pub async fn read(store: &Store, request: &Request) -> Result<Response, Problem> {
    let query = &request.query_string_parameters;
    let date = match query.get("date") {
        None => Timestamp::now().to_zoned(TimeZone::UTC).date(),
        Some(text) => date(text).ok_or_else(|| Problem::invalid("date", "give a date such as 2026-03-12"))?,
    };
    let currency: Option<Currency> = match query.get("currency") {
        None => None,
        Some(code) => {
            let known = code.parse().ok();
            Some(known.ok_or_else(|| Problem::invalid("currency", "give an ISO 4217 code such as USD"))?)
        }
    };
    let missing = || Problem::not_found("exchange rate for this date or within the days before it");
    let mut rates: DayRates = store.rates_on(date).await?.ok_or_else(missing)?;
    if let Some(currency) = currency {
        rates.rates.retain(|quoted, _| *quoted == currency);
        if rates.rates.is_empty() {
            return Err(missing());
        }
    }
    Ok(Response::json(200, &rates).header("etag", etag(rates.version)))
}

/// Loads rates. What is there already stays as it is; a day with other rates is replaced as a whole.
///
/// The days do not fit one transaction; each is whole, with its event, and the load can be sent again. So the answer's
/// record, where there is an idempotency key, is written after them.
pub async fn load(store: &Store, finance: PersonId, request: &Request) -> Result<Response, Problem> {
    let file = parse(request)?;
    act(store, request, finance, async |_: &mut Transaction| {
        let loaded = store.load_rates(file.base, &file.source, &file.days, &request.cause(finance)).await?;
        let day = |written: slipstream_events::RatesEvent| LoadedDay {
            date: written.rates.date,
            version: written.rates.version,
            replaces: written.replaces,
        };
        let answer = Loaded { loaded: loaded.written.into_iter().map(day).collect(), unchanged: loaded.unchanged };
        Ok(Response::json(200, &answer))
    })
    .await
}

/// A date as ISO 8601 writes it, of a year with four digits.
fn date(text: &str) -> Option<Date> {
    text.parse().ok().filter(|date: &Date| text.len() == 10 && date.year() >= 0)
}

fn parse(request: &Request) -> Result<File, Problem> {
    let media_type = request.header("content-type").unwrap_or("application/json");
    let file = match media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/csv" if request.is_base64_encoded => {
            return Err(Problem::bad_request("Send the file as text/csv, not base64."));
        }
        "text/csv" => from_csv(&request.body)?,
        "application/json" => from_json(request)?,
        _ => return Err(Problem::unsupported_media_type("Send the rates as text/csv or application/json.")),
    };
    let problems = problems(&file);
    if problems.is_empty() { Ok(file) } else { Err(Problem::invalid_fields(problems)) }
}

/// What is wrong with a file, whatever form it came in.
fn problems(file: &File) -> Vec<FieldError> {
    let mut found = Vec::new();
    let mut wrong = |field: String, remedy: String| {
        if found.len() < MAX_FAULTS {
            found.push(FieldError { field, remedy });
        }
    };
    let length = file.source.chars().count();
    if !(1..=MAX_SOURCE).contains(&length) || file.source.trim().is_empty() || file.source.chars().any(is_unseen) {
        wrong("source".to_owned(), format!("say who published the rates, in 1 to {MAX_SOURCE} characters"));
    }
    if !(1..=MAX_DAYS).contains(&file.days.len()) {
        wrong("days".to_owned(), format!("send 1 to {MAX_DAYS} days at a time, not {}", file.days.len()));
    }
    // A day has begun somewhere on earth, or has no rates yet.
    let latest = Timestamp::now().to_zoned(TimeZone::fixed(jiff::tz::offset(14))).date();
    let mut seen = BTreeSet::new();
    for day in &file.days {
        let field = || format!("days[{}]", day.date);
        if !seen.insert(day.date) {
            wrong(field(), "give each day once".to_owned());
        }
        if day.date > latest {
            wrong(field(), "leave out days that are yet to come".to_owned());
        }
        if !(1..=MAX_RATES).contains(&day.rates.len()) {
            wrong(field(), format!("give 1 to {MAX_RATES} rates"));
        }
        if day.rates.contains_key(&file.base) {
            wrong(format!("days[{}].rates.{}", day.date, file.base), "leave out the base itself".to_owned());
        }
    }
    found
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonFile {
    base: Currency,
    source: String,
    days: Vec<JsonDay>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonDay {
    date: String,
    rates: BTreeMap<String, String>,
}

fn from_json(request: &Request) -> Result<File, Problem> {
    let file: JsonFile = request.json()?;
    let mut days = Vec::new();
    let mut faults = Vec::new();
    for (at, day) in file.days.into_iter().enumerate() {
        let mut rates = BTreeMap::new();
        for (code, rate) in &day.rates {
            match (code.parse::<Currency>(), rate.parse::<ExchangeRate>()) {
                (Ok(currency), Ok(rate)) => {
                    rates.insert(currency, rate);
                }
                (Err(error), _) => fault(&mut faults, format!("days[{at}].rates"), error.to_string()),
                (_, Err(error)) => fault(&mut faults, format!("days[{at}].rates.{code}"), error.to_string()),
            }
        }
        match date(&day.date) {
            Some(date) => days.push(PublishedDay { date, rates }),
            None => fault(&mut faults, format!("days[{at}].date"), "give a date such as 2026-03-12".to_owned()),
        }
    }
    if faults.is_empty() {
        Ok(File { base: file.base, source: file.source, days })
    } else {
        Err(Problem::invalid_fields(faults))
    }
}

fn fault(faults: &mut Vec<FieldError>, field: String, remedy: String) {
    if faults.len() < MAX_FAULTS {
        faults.push(FieldError { field, remedy });
    }
}

/// The European Central Bank's files, both of them
/// (<https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/>): a line of currency codes,
/// then a line a day, base EUR. The daily file writes `12 March 2026` and blanks after its commas, the historical one
/// `2026-03-12`; both end each line with a comma, and `N/A` or nothing stands for no rate. The historical one goes back to
/// 1999 with all the currencies that there were.
fn from_csv(text: &str) -> Result<File, Problem> {
    let mut lines = (1usize..).zip(text.strip_prefix('\u{feff}').unwrap_or(text).lines());
    let cells = |line: &str| -> Vec<String> { line.split(',').map(|cell| cell.trim().to_owned()).collect() };
    let header = lines.next().map(|(_, line)| cells(line)).unwrap_or_default();
    if header.first().map(String::as_str) != Some("Date") {
        return Err(Problem::invalid("line 1", "begin with a line such as Date,USD,JPY,…"));
    }
    let mut faults = Vec::new();
    let mut days = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let cells = cells(line);
        if cells.len() > header.len() {
            fault(&mut faults, format!("line {number}"), "give as many values as line 1 has currencies".to_owned());
            continue;
        }
        let mut rates = BTreeMap::new();
        for (code, cell) in header.iter().zip(&cells).skip(1) {
            if cell.is_empty() || cell == "N/A" || WITHDRAWN.contains(&code.as_str()) {
                continue;
            }
            match (code.parse::<Currency>(), cell.parse::<ExchangeRate>()) {
                (Ok(currency), Ok(rate)) if !rates.contains_key(&currency) => {
                    rates.insert(currency, rate);
                }
                (Ok(_), Ok(_)) => fault(&mut faults, format!("line {number}"), format!("give {code} once")),
                (Err(error), _) => {
                    fault(&mut faults, format!("line {number}"), format!("{error}; leave its column out"));
                }
                (_, Err(error)) => fault(&mut faults, format!("line {number}"), format!("{code}: {error}")),
            }
        }
        let text = &cells[0];
        match date(text).or_else(|| strtime::parse("%d %B %Y", text).and_then(|parsed| parsed.to_date()).ok()) {
            Some(date) => days.push(PublishedDay { date, rates }),
            None => {
                let remedy = "begin with a date such as 2026-03-12 or 12 March 2026".to_owned();
                fault(&mut faults, format!("line {number}"), remedy);
            }
        }
    }
    if faults.is_empty() {
        Ok(File { base: Currency::EUR, source: "ECB".to_owned(), days })
    } else {
        Err(Problem::invalid_fields(faults))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(media_type: &str, body: &str) -> Request {
        serde_json::from_value(json!({
            "httpMethod": "PUT", "resource": "/exchange-rates", "requestContext": {},
            "headers": {"Content-Type": media_type}, "body": body,
        }))
        .unwrap()
    }

    fn fields(problem: &Problem) -> Vec<&str> {
        problem.errors.iter().map(|error| error.field.as_str()).collect()
    }

    #[test]
    fn both_files_of_the_bank_and_json_say_the_same() {
        let daily = "Date, USD, JPY, ISK, \r\n12 March 2026, 1.0876, 161.27, N/A, \r\n";
        let historical = "\u{feff}Date,USD,JPY,CYP,ISK,\n2026-03-12,1.0876,161.270,N/A,,\n\n";
        let file = json!({"base": "EUR", "source": "ECB", "days": [{"date": "2026-03-12", "rates": {"USD": "1.0876", "JPY": "161.27"}}]});
        let daily = parse(&request("text/csv; charset=utf-8", daily)).unwrap();
        assert_eq!(daily, parse(&request("Text/CSV", historical)).unwrap());
        assert_eq!(daily, parse(&request("application/json", &file.to_string())).unwrap());
        assert_eq!(daily.days[0].rates.len(), 2);
    }

    #[test]
    fn the_historical_file_is_read_back_to_its_first_day() {
        let file = "Date,USD,JPY,BGN,CYP,CZK,DKK,EEK,GBP,HUF,LTL,LVL,MTL,PLN,ROL,RON,SEK,SIT,SKK,CHF,ISK,NOK,HRK,RUB,TRL,\
            TRY,AUD,BRL,CAD,CNY,HKD,IDR,ILS,INR,KRW,MXN,MYR,NZD,PHP,SGD,THB,ZAR,\n\
            1999-01-04,1.1789,133.73,N/A,0.58231,35.107,7.4501,15.6466,0.7111,251.48,4.717,0.6668,0.4432,4.0712,1.3111,N/A,\
            9.4696,189.045,42.991,1.6168,81.48,8.855,N/A,N/A,0.3723,N/A,1.91,N/A,1.8004,N/A,9.1332,N/A,N/A,N/A,1398.59,N/A,\
            N/A,2.2229,N/A,1.9554,N/A,6.9358,\n";
        let day = parse(&request("text/csv", file)).unwrap().days.remove(0);
        assert_eq!((day.date, day.rates.len()), (jiff::civil::date(1999, 1, 4), 18), "{:?}", day.rates);
        assert_eq!(day.rates[&"ZAR".parse().unwrap()].to_string(), "6.9358", "the columns stay in their places");
        for code in WITHDRAWN {
            assert!(code.parse::<Currency>().is_err(), "{code} is a currency, so that its rate counts");
        }
    }

    #[test]
    fn a_fault_names_its_line() {
        let text = "Date,USD,XYZ\n2026-03-12,1.0876,2\n12.03.2026,1.0876\n2026-03-11,-1\n2026-03-10,1,2,3\n";
        let problem = parse(&request("text/csv", text)).unwrap_err();
        assert_eq!((problem.status, fields(&problem)), (422, vec!["line 2", "line 3", "line 4", "line 5"]));
        assert_eq!(parse(&request("text/csv", "2026-03-12,1")).unwrap_err().errors[0].field, "line 1");
    }

    #[test]
    fn a_fault_names_its_member() {
        let refused = |days: serde_json::Value| {
            let file = json!({"base": "EUR", "source": "Bank", "days": days});
            parse(&request("application/json", &file.to_string())).unwrap_err()
        };
        let problem = refused(json!([{"date": "2026-3-12", "rates": {"USD": "0", "XYZ": "1"}}]));
        assert_eq!(fields(&problem), ["days[0].rates.USD", "days[0].rates", "days[0].date"]);
        let day = json!({"date": "2026-03-12", "rates": {"EUR": "1"}});
        assert_eq!(fields(&refused(json!([day]))), ["days[2026-03-12].rates.EUR"]);
        let day = json!({"date": "2026-03-12", "rates": {"USD": "1.1"}});
        assert_eq!(fields(&refused(json!([day, day]))), ["days[2026-03-12]"]);
        assert_eq!(fields(&refused(json!([]))), ["days"]);
        let day = json!({"date": "2999-03-12", "rates": {"USD": "1.1"}});
        assert_eq!(fields(&refused(json!([day]))), ["days[2999-03-12]"]);
        assert_eq!(parse(&request("application/json", "{\"base\":\"EUR\"}")).unwrap_err().status, 400);
        assert_eq!(parse(&request("application/xml", "")).unwrap_err().status, 415);
    }

    #[test]
    fn a_file_has_an_end() {
        let rows: String = (0..=MAX_DAYS)
            .map(|day| {
                let date =
                    jiff::civil::date(2020, 1, 1).saturating_add(jiff::Span::new().days(i64::try_from(day).unwrap()));
                format!("{date},1.1\n")
            })
            .collect();
        let problem = parse(&request("text/csv", &format!("Date,USD\n{rows}"))).unwrap_err();
        assert_eq!(fields(&problem), ["days"]);
    }
}
