//! Who signs, how, when, and on which path.

use super::cases::Case;
use super::own::{Pairs, answer, borrowed, date};
use super::spec::Action;
use super::{Doors, Reply};
use crate::sign::{Signed, Signer, form};

/// The paths that EC2_URLs name.
const PATHS: [&str; 4] = ["/", "/services/Cloud", "/services/Cloud/", "/services/Eucalyptus"];
/// What clients of then and now say.
const VERSIONS: [&str; 3] = ["2016-11-15", "2009-11-30", "2014-05-01"];
/// Further from now than clocks may differ.
const FAR: i64 = 16 * 60;

fn versioned(given: &Pairs, version: &str) -> Pairs {
    let mut given = given.clone();
    given.push(("Version".into(), version.into()));
    given
}

/// The four ways to sign, each with its name.
fn ways(signer: &Signer, host: &str, path: &str, given: &Pairs) -> [(&'static str, Signed); 4] {
    let given = &borrowed(given);
    [
        ("SigV4 in a header", signer.v4_post(host, path, &[], given)),
        ("SigV4 in a query", signer.v4_presigned(host, path, 60, given)),
        ("SigV2 in a query", signer.v2("GET", "HmacSHA1", host, path, given)),
        ("SigV2 in a form", signer.v2("POST", "HmacSHA256", host, path, given)),
    ]
}

impl Doors {
    fn signed(&mut self, action: &Action, case: &Case, signer: &Signer, codes: [&str; 4]) {
        let host = self.cloud.api().to_string();
        let given = versioned(&case.base, VERSIONS[0]);
        for ((way, request), code) in ways(signer, &host, "/", &given).into_iter().zip(codes) {
            let reply = answer(self.cloud.api(), &request);
            self.expect(action, &reply, code, &format!("{} by {way}", action.name));
        }
    }

    pub fn no_signature(&mut self, action: &Action, case: &Case) {
        let text = form(&borrowed(&versioned(&case.base, VERSIONS[0])));
        let headers = vec![("host".to_owned(), self.cloud.api().to_string())];
        let form = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let none = String::new;
        let get = Signed {
            method: "GET".into(),
            path: "/".into(),
            query: text.clone(),
            headers: headers.clone(),
            body: none(),
        };
        let post = Signed {
            method: "POST".into(),
            path: "/".into(),
            query: none(),
            headers: [headers, vec![form]].concat(),
            body: text,
        };
        for request in [get, post] {
            let reply = answer(self.cloud.api(), &request);
            self.expect(action, &reply, "MissingAuthenticationToken", &format!("{request:?}"));
        }
    }

    pub fn wrong_signatures(&mut self, action: &Action, case: &Case) {
        let signer = self.cloud.his.signer();
        let nobody = Signer { key: "AKIANOBODY".into(), ..signer.clone() };
        self.signed(action, case, &nobody, ["AuthFailure"; 4]);
        let wrong = Signer { secret: "wrong".into(), ..signer.clone() };
        let codes = ["SignatureDoesNotMatch", "SignatureDoesNotMatch", "AuthFailure", "AuthFailure"];
        self.signed(action, case, &wrong, codes);
        // Her name, with his secret.
        let borrowed = Signer { key: self.cloud.hers.by.key.clone(), ..signer };
        self.signed(action, case, &borrowed, codes);
    }

    pub fn wrong_dates(&mut self, action: &Action, case: &Case) {
        for at in [-FAR, FAR] {
            let signer = Signer { at: date(at), ..self.cloud.his.signer() };
            self.signed(action, case, &signer, ["RequestExpired"; 4]);
        }
    }

    /// Dry runs, so that each is the whole way and can be gone again.
    pub fn every_path(&mut self, action: &Action, case: &Case) {
        let host = self.cloud.api().to_string();
        let dry = case.with("DryRun", "true");
        for (path, version) in PATHS.iter().zip(VERSIONS.iter().cycle()) {
            let given = versioned(&dry, version);
            for (way, request) in ways(&self.cloud.his.signer(), &host, path, &given) {
                let reply = answer(self.cloud.api(), &request);
                self.expect(
                    action,
                    &reply,
                    case.never.unwrap_or("DryRunOperation"),
                    &format!("{} by {way} at {path}", action.name),
                );
            }
        }
    }

    pub fn succeeds(&mut self, action: &Action, case: &Case) {
        if let Some(code) = case.never {
            self.refused(action, &case.base, code);
            return;
        }
        let version = if action.sts { "2011-06-15" } else { VERSIONS[1] };
        let reply = self.cloud.call(&self.cloud.his, &versioned(&case.base, version));
        if let Some(code) = case.never {
            return self.expect(action, &reply, code, &action.name);
        }
        assert_eq!(reply.status, 200, "{}: {}", action.name, reply.body);
        let root = match action.sts {
            true => format!("<{}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">", action.name),
            false => format!("<{}Response xmlns=\"http://ec2.amazonaws.com/doc/{version}/\">", action.name),
        };
        assert!(reply.body.contains(&root), "{root}: {}", reply.body);
        assert_eq!(id_in(&reply), reply.header("x-amzn-requestid"), "{}: {}", action.name, reply.body);
    }
}

fn id_in(reply: &Reply) -> Option<&str> {
    reply.text("requestId").or_else(|| reply.text("RequestId"))
}
