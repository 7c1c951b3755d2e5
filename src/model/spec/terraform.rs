//! The resource `yandex_function` of yandex-cloud/yandex, out and in (the provider's
//! docs/resources/function.md).

mod layout;
mod read;
mod write;

pub use read::read;
pub use write::write;

/// The types of the resource and of the data that it refers to.
const FUNCTION: &str = "yandex_function";
const ACCOUNT: &str = "yandex_iam_service_account";
const SECRET: &str = "yandex_lockbox_secret";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::arbitrary;
    use crate::model::spec::tests::{same_but, subject_text, written};
    use crate::model::spec::{Choices, Consumer};

    proptest! {
        #[test]
        fn a_resource_survives_the_round_trip(version in arbitrary::valid_version(), package in any::<bool>()) {
            let place = |name: &str| package.then(|| name.to_owned());
            let choices = Choices { bucket: place("code"), object: place("a/b.zip"), ..Choices::default() };
            let first = written(Consumer::Terraform, &version, &choices);
            let readings = read(&first.text).unwrap();
            prop_assert_eq!(readings.len(), 1);
            prop_assert_eq!(&readings[0].losses, &vec![]);
            same_but(&first.losses, &version, &readings[0].version);
            prop_assert_eq!(readings[0].name.as_deref(), Some("my-app"));
            prop_assert_eq!(readings[0].code.sha256.as_ref().map(String::len), Some(64));
            prop_assert_eq!(readings[0].code.bucket.is_some(), package);
            let second = subject_text(Consumer::Terraform, &readings[0].version, &choices);
            prop_assert_eq!(&second, &first.text);
        }

        #[test]
        fn no_module_panics(text in "resource \"yandex_function\" \\PC*") {
            let _ = read(&text);
        }
    }

    #[test]
    fn references_are_followed_or_named() {
        let readings = read(
            r#"
            data "yandex_iam_service_account" "sa" { service_account_id = "aje1" }
            resource "yandex_iam_service_account" "own" { name = "own" }
            resource "yandex_function" "a" {
              name               = "fn-a"
              user_hash          = filesha256("a.zip")
              runtime            = "nodejs22"
              entrypoint         = "index.main"
              memory             = 256
              execution_timeout  = "10"
              service_account_id = data.yandex_iam_service_account.sa.id
              labels             = { team = "x" }
              environment        = { A = "$${a}", B = "${var.b}", C = var.c, D = 1 }
              content { zip_filename = "a.zip" }
              timeouts { create = "5m" }
              depends_on         = [yandex_lockbox_secret.a]
              lifecycle { ignore_changes = [tags] }
            }
            resource "yandex_function" "b" {
              name               = "fn-b"
              runtime            = var.runtime
              entrypoint         = "index.main"
              memory             = 128
              service_account_id = yandex_iam_service_account.own.id
              dynamic "secrets" {
                for_each = var.secrets
                content { id = secrets.value }
              }
            }"#,
        )
        .unwrap();
        let [a, b] = readings.as_slice() else { panic!("{readings:?}") };
        assert_eq!(a.version.service_account_id.as_deref(), Some("aje1"));
        assert_eq!((a.version.memory.as_str(), a.version.timeout.as_str()), ("256MB", "10s"));
        assert_eq!(a.version.environment["A"], "${a}");
        assert_eq!(a.version.environment["D"], "1");
        let keys = |losses: &[crate::model::spec::Loss]| -> Vec<String> {
            losses.iter().map(|loss| loss.key.clone()).collect()
        };
        assert_eq!(keys(&a.losses), ["environment.B", "environment.C", "labels", "timeouts"]);
        assert_eq!(keys(&b.losses), ["runtime", "service_account_id", "secrets"]);
    }
}
