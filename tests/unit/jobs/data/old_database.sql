BEGIN TRANSACTION;
CREATE TABLE address_epoch (
	address_id VARCHAR(255) NOT NULL, 
	epoch INTEGER NOT NULL, 
	site VARCHAR(255) NOT NULL, 
	at DATETIME NOT NULL, 
	raised_by VARCHAR(255) NOT NULL, 
	why TEXT NOT NULL, 
	job_id VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_address_epoch PRIMARY KEY (address_id, epoch), 
	CONSTRAINT fk_address_epoch_address_id FOREIGN KEY(address_id) REFERENCES moving_address (id) ON DELETE CASCADE
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0007');
CREATE TABLE application (
	id VARCHAR(255) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	project_id VARCHAR(255) NOT NULL, 
	site VARCHAR(255) NOT NULL, 
	metadata_tag VARCHAR(255), 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_application PRIMARY KEY (id), 
	CONSTRAINT fk_application_site FOREIGN KEY(site) REFERENCES site (name), 
	CONSTRAINT uq_application_name UNIQUE (project_id, name)
);
CREATE TABLE application_member (
	application_id VARCHAR(255) NOT NULL, 
	server_id VARCHAR(255) NOT NULL, 
	server_name VARCHAR(255) NOT NULL, 
	boot_order INTEGER NOT NULL, 
	quiesce BOOLEAN NOT NULL, 
	CONSTRAINT pk_application_member PRIMARY KEY (application_id, server_id), 
	CONSTRAINT fk_application_member_application_id FOREIGN KEY(application_id) REFERENCES application (id) ON DELETE CASCADE
);
CREATE TABLE application_plane (
	id VARCHAR(255) NOT NULL, 
	application_id VARCHAR(255) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	role VARCHAR(255) NOT NULL, 
	realised VARCHAR(255) NOT NULL, 
	sites JSON NOT NULL, 
	cidr VARCHAR(255), 
	why TEXT NOT NULL, 
	state VARCHAR(255) NOT NULL, 
	stretched_network_id VARCHAR(255), 
	made JSON NOT NULL, 
	job_id VARCHAR(255), 
	error TEXT, 
	created_at DATETIME NOT NULL, "left" JSON DEFAULT '[]' NOT NULL, 
	CONSTRAINT pk_application_plane PRIMARY KEY (id), 
	CONSTRAINT fk_application_plane_application_id FOREIGN KEY(application_id) REFERENCES application (id), 
	CONSTRAINT uq_application_plane_name UNIQUE (application_id, name)
);
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR(255) NOT NULL, 
	user_name VARCHAR(255) NOT NULL, 
	user_id VARCHAR(255), 
	project_id VARCHAR(255), 
	request_id VARCHAR(255), 
	job_id VARCHAR(255), 
	subject VARCHAR(255), 
	step VARCHAR(255), 
	attempt INTEGER, 
	undoing BOOLEAN NOT NULL, 
	site VARCHAR(255), 
	service VARCHAR(255), 
	method VARCHAR(255) NOT NULL, 
	path TEXT NOT NULL, 
	action VARCHAR(255), 
	resource_id VARCHAR(255), 
	CONSTRAINT pk_audit PRIMARY KEY (id), 
	CONSTRAINT uq_audit_key UNIQUE ("key")
);
CREATE TABLE audit_end (
	"key" VARCHAR(255) NOT NULL, 
	outcome VARCHAR(255) NOT NULL, 
	status INTEGER, 
	cloud_request_id VARCHAR(255), 
	resource_id VARCHAR(255), 
	job_id VARCHAR(255), 
	project_id VARCHAR(255), 
	seconds DOUBLE NOT NULL, 
	ended_at DATETIME NOT NULL, 
	CONSTRAINT pk_audit_end PRIMARY KEY ("key"), 
	CONSTRAINT fk_audit_end_key FOREIGN KEY("key") REFERENCES audit ("key")
);
CREATE TABLE job (
	id VARCHAR(255) NOT NULL, 
	kind VARCHAR(255) NOT NULL, 
	title TEXT NOT NULL, 
	state VARCHAR(255) NOT NULL, 
	project_id VARCHAR(255), 
	subject VARCHAR(255), 
	requested_by VARCHAR(255) NOT NULL, 
	request_id VARCHAR(255), 
	params JSON NOT NULL, 
	run INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	intent VARCHAR(255) NOT NULL, 
	cancel_requested BOOLEAN NOT NULL, 
	settled BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	started_at DATETIME, 
	ended_at DATETIME, 
	error TEXT, 
	undo_error TEXT, worker VARCHAR(255), 
	CONSTRAINT pk_job PRIMARY KEY (id)
);
INSERT INTO "job" VALUES('d7079a29-18f4-44de-86e2-20387544f51c','old','paused','paused','p','net-1','alice',NULL,'{"then": "fail"}',1,1,'run',0,1,'2026-11-28 06:56:13.358116','2026-11-28 06:56:13.815281',NULL,'Make b: no room at site a: free some',NULL,'vm-17026');
INSERT INTO "job" VALUES('c5dd5fbc-6a09-4e30-a4c3-b23b2bbfc0cf','old','running','running','p','net-1','alice',NULL,'{"then": "wait"}',1,1,'run',0,0,'2026-11-28 06:56:14.934148','2026-11-28 06:56:15.292074',NULL,NULL,NULL,'vm-17026');
INSERT INTO "job" VALUES('db7d4100-d703-462d-be8e-7d24ecb74256','old','queued','queued','p','net-1','alice',NULL,'{"then": "wait"}',1,0,'run',0,0,'2026-11-28 06:56:16.094684',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE journal (
	id INTEGER NOT NULL, 
	job_id VARCHAR(255), 
	step VARCHAR(255), 
	at DATETIME NOT NULL, 
	who VARCHAR(255) NOT NULL, 
	message TEXT NOT NULL, 
	data JSON NOT NULL, 
	CONSTRAINT pk_journal PRIMARY KEY (id), 
	CONSTRAINT fk_journal_job_id FOREIGN KEY(job_id) REFERENCES job (id)
);
INSERT INTO "journal" VALUES(1,'d7079a29-18f4-44de-86e2-20387544f51c',NULL,'2026-11-28 06:56:13.394686','alice','accepted: paused','{}');
INSERT INTO "journal" VALUES(2,'d7079a29-18f4-44de-86e2-20387544f51c','b','2026-11-28 06:56:14.468442','multisite','Make b: failed: no room at site a: free some','{}');
INSERT INTO "journal" VALUES(3,'d7079a29-18f4-44de-86e2-20387544f51c',NULL,'2026-11-28 06:56:14.610168','multisite','paused: Make b: no room at site a: free some','{}');
INSERT INTO "journal" VALUES(4,'c5dd5fbc-6a09-4e30-a4c3-b23b2bbfc0cf',NULL,'2026-11-28 06:56:14.994524','alice','accepted: running','{}');
INSERT INTO "journal" VALUES(5,'db7d4100-d703-462d-be8e-7d24ecb74256',NULL,'2026-11-28 06:56:16.124393','alice','accepted: queued','{}');
CREATE TABLE l3_path (
	id VARCHAR(255) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	project_id VARCHAR(255) NOT NULL, 
	ends JSON NOT NULL, 
	protocol VARCHAR(255) NOT NULL, 
	port INTEGER, 
	state VARCHAR(255) NOT NULL, 
	job_id VARCHAR(255) NOT NULL, 
	requested_by VARCHAR(255) NOT NULL, 
	created_at DATETIME NOT NULL, 
	error TEXT, 
	CONSTRAINT pk_l3_path PRIMARY KEY (id), 
	CONSTRAINT uq_l3_path_name UNIQUE (project_id, name)
);
CREATE TABLE lease (
	name VARCHAR(255) NOT NULL, 
	holder VARCHAR(255) NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_lease PRIMARY KEY (name)
);
CREATE TABLE moving_address (
	id VARCHAR(255) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	address VARCHAR(255) NOT NULL, 
	project_id VARCHAR(255) NOT NULL, 
	members JSON NOT NULL, 
	active_site VARCHAR(255) NOT NULL, 
	epoch INTEGER NOT NULL, 
	state VARCHAR(255) NOT NULL, 
	probe VARCHAR(255) NOT NULL, 
	job_id VARCHAR(255) NOT NULL, 
	move_job_id VARCHAR(255), 
	requested_by VARCHAR(255) NOT NULL, 
	created_at DATETIME NOT NULL, 
	error TEXT, 
	CONSTRAINT pk_moving_address PRIMARY KEY (id), 
	CONSTRAINT uq_moving_address_address UNIQUE (address), 
	CONSTRAINT uq_moving_address_name UNIQUE (project_id, name)
);
CREATE TABLE protection (
	id VARCHAR(255) NOT NULL, 
	application_id VARCHAR(255) NOT NULL, 
	application VARCHAR(255) NOT NULL, 
	project_id VARCHAR(255) NOT NULL, 
	method VARCHAR(255) NOT NULL, 
	site VARCHAR(255) NOT NULL, 
	target_site VARCHAR(255), 
	freeze_timeout INTEGER NOT NULL, 
	quiesce BOOLEAN NOT NULL, 
	full_every INTEGER NOT NULL, 
	console_mark TEXT, 
	snapshot_gap_seconds DOUBLE NOT NULL, 
	created_at DATETIME NOT NULL, 
	last_restore_point VARCHAR(255), 
	CONSTRAINT pk_protection PRIMARY KEY (id), 
	CONSTRAINT fk_protection_application_id FOREIGN KEY(application_id) REFERENCES application (id)
);
CREATE TABLE recovery (
	id VARCHAR(255) NOT NULL, 
	application VARCHAR(255) NOT NULL, 
	project_id VARCHAR(255) NOT NULL, 
	restore_point_id VARCHAR(255) NOT NULL, 
	target_site VARCHAR(255) NOT NULL, 
	state VARCHAR(255) NOT NULL, 
	job_id VARCHAR(255) NOT NULL, 
	requested_by VARCHAR(255) NOT NULL, 
	created_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	consistent_at DATETIME, 
	rto_seconds DOUBLE, 
	rpo_seconds DOUBLE, 
	servers JSON NOT NULL, 
	mapping JSON NOT NULL, 
	error TEXT, 
	CONSTRAINT pk_recovery PRIMARY KEY (id)
);
CREATE TABLE restore_point (
	id VARCHAR(255) NOT NULL, 
	application_id VARCHAR(255) NOT NULL, 
	application VARCHAR(255) NOT NULL, 
	project_id VARCHAR(255) NOT NULL, 
	protection_id VARCHAR(255), 
	method VARCHAR(255) NOT NULL, 
	state VARCHAR(255) NOT NULL, 
	incremental BOOLEAN NOT NULL, 
	parent_id VARCHAR(255), 
	created_at DATETIME NOT NULL, 
	consistent_at DATETIME, 
	frozen_seconds DOUBLE, 
	frozen JSON NOT NULL, 
	marks JSON NOT NULL, 
	quiesced BOOLEAN NOT NULL, 
	size_gib INTEGER, 
	digest VARCHAR(255), 
	job_id VARCHAR(255), 
	error TEXT, 
	CONSTRAINT pk_restore_point PRIMARY KEY (id)
);
CREATE TABLE site (
	id VARCHAR(255) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	cloud VARCHAR(255) NOT NULL, 
	region VARCHAR(255) NOT NULL, 
	auth_url TEXT NOT NULL, 
	description TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_site PRIMARY KEY (id), 
	CONSTRAINT uq_site_name UNIQUE (name)
);
CREATE TABLE slot (
	name VARCHAR(255) NOT NULL, 
	number INTEGER NOT NULL, 
	worker VARCHAR(255) NOT NULL, 
	job_id VARCHAR(255) NOT NULL, 
	step VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_slot PRIMARY KEY (name, number), 
	CONSTRAINT fk_slot_worker FOREIGN KEY(worker) REFERENCES worker (id) ON DELETE CASCADE
);
CREATE TABLE step (
	job_id VARCHAR(255) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	position INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	state VARCHAR(255) NOT NULL, 
	site VARCHAR(255), 
	needs JSON NOT NULL, 
	attempt INTEGER NOT NULL, 
	interrupted BOOLEAN NOT NULL, 
	undo_attempt INTEGER NOT NULL, 
	started_at DATETIME, 
	ended_at DATETIME, 
	done DOUBLE, 
	total DOUBLE, 
	unit VARCHAR(255) NOT NULL, 
	detail TEXT NOT NULL, 
	result JSON, 
	error TEXT, limit_name VARCHAR(255), epoch INTEGER DEFAULT '0' NOT NULL, waits TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_step PRIMARY KEY (job_id, name), 
	CONSTRAINT fk_step_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE CASCADE
);
INSERT INTO "step" VALUES('d7079a29-18f4-44de-86e2-20387544f51c','a',0,'Make a','done',NULL,'[]',1,0,0,'2026-11-28 06:56:13.958134','2026-11-28 06:56:14.051071',NULL,NULL,'','','{"id": "n1"}',NULL,NULL,1,'');
INSERT INTO "step" VALUES('d7079a29-18f4-44de-86e2-20387544f51c','b',1,'Make b','failed',NULL,'["a"]',1,0,0,'2026-11-28 06:56:14.098842','2026-11-28 06:56:14.468379',NULL,NULL,'','','null','no room at site a: free some',NULL,1,'');
INSERT INTO "step" VALUES('c5dd5fbc-6a09-4e30-a4c3-b23b2bbfc0cf','a',0,'Make a','done',NULL,'[]',1,0,0,'2026-11-28 06:56:15.731143','2026-11-28 06:56:15.874529',NULL,NULL,'','','{"id": "n1"}',NULL,NULL,1,'');
INSERT INTO "step" VALUES('c5dd5fbc-6a09-4e30-a4c3-b23b2bbfc0cf','b',1,'Make b','running',NULL,'["a"]',1,0,0,'2026-11-28 06:56:15.941410',NULL,NULL,NULL,'','','null',NULL,NULL,1,'');
INSERT INTO "step" VALUES('db7d4100-d703-462d-be8e-7d24ecb74256','a',0,'Make a','waiting',NULL,'[]',0,0,0,NULL,NULL,NULL,NULL,'','','null',NULL,NULL,0,'');
INSERT INTO "step" VALUES('db7d4100-d703-462d-be8e-7d24ecb74256','b',1,'Make b','waiting',NULL,'["a"]',0,0,0,NULL,NULL,NULL,NULL,'','','null',NULL,NULL,0,'');
CREATE TABLE stretched_look (
	network_id VARCHAR(255) NOT NULL, 
	site VARCHAR(255) NOT NULL, 
	seen_at DATETIME, 
	tried_at DATETIME NOT NULL, 
	error TEXT, 
	look JSON NOT NULL, 
	CONSTRAINT pk_stretched_look PRIMARY KEY (network_id, site), 
	CONSTRAINT fk_stretched_look_network_id FOREIGN KEY(network_id) REFERENCES stretched_network (id) ON DELETE CASCADE
);
CREATE TABLE stretched_network (
	id VARCHAR(255) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	project_id VARCHAR(255) NOT NULL, 
	kind VARCHAR(255) NOT NULL, 
	state VARCHAR(255) NOT NULL, 
	cidr VARCHAR(255) NOT NULL, 
	members JSON NOT NULL, 
	segmentation_id INTEGER, 
	mtu INTEGER, 
	gateway VARCHAR(255) NOT NULL, 
	gateway_site VARCHAR(255), 
	dhcp VARCHAR(255) NOT NULL, 
	remote_groups VARCHAR(255) NOT NULL, 
	port_security BOOLEAN NOT NULL, 
	job_id VARCHAR(255), 
	requested_by VARCHAR(255) NOT NULL, 
	error TEXT, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_stretched_network PRIMARY KEY (id), 
	CONSTRAINT uq_stretched_network_name UNIQUE (name)
);
CREATE TABLE worker (
	id VARCHAR(255) NOT NULL, 
	sessions VARCHAR(255) NOT NULL, 
	started_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_worker PRIMARY KEY (id)
);
CREATE INDEX ix_protection_application_id ON protection (application_id);
CREATE INDEX ix_protection_project_id ON protection (project_id);
CREATE INDEX ix_restore_point_application_id ON restore_point (application_id);
CREATE INDEX ix_restore_point_project_id ON restore_point (project_id);
CREATE INDEX ix_recovery_job_id ON recovery (job_id);
CREATE INDEX ix_recovery_project_id ON recovery (project_id);
CREATE INDEX ix_recovery_restore_point_id ON recovery (restore_point_id);
CREATE INDEX ix_job_created_at ON job (created_at);
CREATE INDEX ix_job_project_id ON job (project_id);
CREATE INDEX ix_job_settled ON job (settled);
CREATE INDEX ix_job_state ON job (state);
CREATE INDEX ix_job_subject ON job (subject);
CREATE INDEX ix_journal_job_id_id ON journal (job_id, id);
CREATE INDEX ix_worker_expires_at ON worker (expires_at);
CREATE INDEX ix_slot_worker ON slot (worker);
CREATE INDEX ix_job_worker ON job (worker);
CREATE INDEX ix_audit_project_id_id ON audit (project_id, id);
CREATE INDEX ix_audit_job_id ON audit (job_id);
CREATE INDEX ix_audit_subject ON audit (subject);
CREATE INDEX ix_audit_end_job_id ON audit_end (job_id);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_end_no_update BEFORE UPDATE ON audit_end BEGIN SELECT RAISE(ABORT, 'audit_end is append-only'); END;
CREATE TRIGGER audit_end_no_delete BEFORE DELETE ON audit_end BEGIN SELECT RAISE(ABORT, 'audit_end is append-only'); END;
CREATE INDEX ix_stretched_network_project_id ON stretched_network (project_id);
CREATE INDEX ix_moving_address_project_id ON moving_address (project_id);
CREATE INDEX ix_l3_path_project_id ON l3_path (project_id);
CREATE INDEX ix_application_plane_application_id ON application_plane (application_id);
COMMIT;
