"""Who is who across trusts: links between local patients, by rule or by a person."""
