//! What the tables of people hold, read back; the same for each database.

use domain::people::{Role, Who};

/// A value of the domain as its table has it.
pub(crate) struct Kept<T>(pub(crate) T);

/// Reads [`Kept`] values from rows of one database: those of `sqlx` have nothing in common.
macro_rules! read {
    ($row:ty) => {
        impl FromRow<'_, $row> for Kept<Person> {
            fn from_row(row: &$row) -> Result<Self, sqlx::Error> {
                Ok(Self(Person {
                    id: parse(row, "id")?,
                    email: row.try_get("email")?,
                    name: row.try_get("name")?,
                    role: crate::kept::read_role(row.try_get("role")?)
                        .ok_or_else(|| crate::kept::damaged("role"))?,
                    password_hash: row.try_get("password_hash")?,
                    welcome: read_welcome(row)?,
                    disabled_at: row.try_get::<Option<i64>, _>("disabled_at")?.map(At),
                }))
            }
        }

        impl FromRow<'_, $row> for Kept<Contact> {
            fn from_row(row: &$row) -> Result<Self, sqlx::Error> {
                Ok(Self(Contact {
                    session: parse(row, "session")?,
                    campaign: parse(row, "campaign")?,
                    email: row.try_get("email")?,
                    name: row.try_get("name")?,
                    alias: row.try_get("alias")?,
                }))
            }
        }

        impl FromRow<'_, $row> for Kept<Link> {
            fn from_row(row: &$row) -> Result<Self, sqlx::Error> {
                let session: Option<&str> = row.try_get("session")?;
                let opens = match session {
                    Some(id) => {
                        Opens::Session(id.parse().map_err(|_| crate::kept::damaged("session"))?)
                    }
                    None => Opens::Wall,
                };
                Ok(Self(Link {
                    code: row.try_get("code")?,
                    campaign: parse(row, "campaign")?,
                    opens,
                    created_at: At(row.try_get("created_at")?),
                    expires_at: row.try_get::<Option<i64>, _>("expires_at")?.map(At),
                    revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(At),
                }))
            }
        }

        impl FromRow<'_, $row> for Kept<HttpSession> {
            fn from_row(row: &$row) -> Result<Self, sqlx::Error> {
                Ok(Self(HttpSession {
                    token_sha256: row.try_get("token_sha256")?,
                    who: crate::kept::read_who(row.try_get("who")?)
                        .ok_or_else(|| crate::kept::damaged("who"))?,
                    created_at: At(row.try_get("created_at")?),
                    seen_at: At(row.try_get("seen_at")?),
                }))
            }
        }

        fn parse<T: std::str::FromStr>(row: &$row, column: &str) -> Result<T, sqlx::Error> {
            row.try_get::<&str, _>(column)?.parse().map_err(|_| crate::kept::damaged(column))
        }

        fn read_welcome(row: &$row) -> Result<Option<Welcome>, sqlx::Error> {
            let token: Option<String> = row.try_get("welcome_sha256")?;
            let until = row.try_get::<Option<i64>, _>("welcome_until")?.map(At);
            Ok(token.zip(until).map(|(token_sha256, until)| Welcome { token_sha256, until }))
        }
    };
}
pub(crate) use read;

pub(crate) fn damaged(column: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.into(), source: "not what was written".into() }
}

pub(crate) const fn print_role(role: Role) -> &'static str {
    match role {
        Role::Administrator => "administrator",
        Role::Creator => "creator",
    }
}

pub(crate) fn read_role(text: &str) -> Option<Role> {
    [Role::Administrator, Role::Creator].into_iter().find(|role| print_role(*role) == text)
}

pub(crate) fn print_who(who: Who) -> String {
    match who {
        Who::Person(id, role) => format!("{}.{id}", print_role(role)),
        Who::Candidate(id) => format!("candidate.{id}"),
        Who::Viewer(id) => format!("viewer.{id}"),
    }
}

pub(crate) fn read_who(text: &str) -> Option<Who> {
    let (kind, id) = text.split_once('.')?;
    match kind {
        "candidate" => id.parse().ok().map(Who::Candidate),
        "viewer" => id.parse().ok().map(Who::Viewer),
        role => Some(Who::Person(id.parse().ok()?, read_role(role)?)),
    }
}
