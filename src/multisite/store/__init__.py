"""Where things are kept: SQLAlchemy models, migrations, one repository per aggregate."""
