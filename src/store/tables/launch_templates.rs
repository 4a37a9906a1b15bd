//! Launch templates and their versions.

use super::prelude::*;

table! { LaunchTemplate, "launch_templates", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        name: text(&row.name),
        default_version: count(row.default_version),
        next_version: count(row.next_version),
        created: int(row.created.0),
    };
    |row| LaunchTemplate {
        id: row.get("id")?,
        owner: row.owner()?,
        name: row.str("name")?,
        default_version: row.number("default_version")?,
        next_version: row.number("next_version")?,
        created: row.micros("created")?,
    }
}

table! { LaunchTemplateVersion, "launch_template_versions", 2;
    |row| {
        template: text(row.template),
        number: count(row.number),
        description: text_or_null(row.description.as_ref()),
        data: text(&row.data),
        created: int(row.created.0),
    };
    |row| LaunchTemplateVersion {
        template: row.get("template")?,
        number: row.number("number")?,
        description: row.maybe_str("description")?,
        data: row.str("data")?,
        created: row.micros("created")?,
    }
}
