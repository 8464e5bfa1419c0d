//! Holds the contracts on disk against the types: schemas are current, every type has a golden example, every
//! golden example is still read, valid, and written back unchanged.

use std::{env, fs, path::PathBuf};

use serde_json::Value;
use slipstream_events::{Event, EventType, schemas};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn file_name(event_type: EventType) -> String {
    format!("{event_type}.v{}.json", event_type.schema_version())
}

#[test]
fn schemas_are_those_of_the_types() {
    for (event_type, schema) in schemas() {
        let path = folder("schemas").join(file_name(event_type));
        let expected = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::create_dir_all(folder("schemas")).unwrap();
            fs::write(&path, &expected).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, expected, "{} is stale: run with UPDATE_SCHEMAS=1", path.display());
    }
}

#[test]
fn every_golden_example_is_read_valid_and_written_back_unchanged() {
    for (event_type, schema) in schemas() {
        let path = folder("examples").join(file_name(event_type));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let example: Value = serde_json::from_str(&text).unwrap();
        let validator = jsonschema::validator_for(schema.as_value()).unwrap();
        let faults: Vec<String> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{}: {faults:?}", path.display());
        let event = Event::from_detail(example.clone()).unwrap();
        assert_eq!(event.data.event_type(), event_type);
        assert_eq!(serde_json::to_value(&event).unwrap(), example, "{}", path.display());
    }
}

#[test]
fn nothing_on_disk_is_without_a_type() {
    for kind in ["schemas", "examples"] {
        for entry in fs::read_dir(folder(kind)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let stem = name.split('.').next().unwrap();
            assert!(EventType::ALL.iter().any(|event_type| event_type.as_str() == stem), "{kind}/{name}");
        }
    }
}

#[test]
fn events_stay_far_below_the_bus_limit() {
    for event_type in EventType::ALL {
        let size = fs::metadata(folder("examples").join(file_name(*event_type))).unwrap().len();
        assert!(size < 16 * 1024, "{event_type}: {size} bytes");
    }
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let path = folder("examples").join(file_name(EventType::ExpenseApproved));
    let mut example: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    example["metadata"]["schema_version"] = 99.into();
    let error = Event::from_detail(example).unwrap_err().to_string();
    assert!(error.contains("ExpenseApproved has no version 99"), "{error}");
}
