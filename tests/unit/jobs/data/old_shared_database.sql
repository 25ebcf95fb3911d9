CREATE FUNCTION public.audit_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'audit is append-only'; END $$;
CREATE FUNCTION public.audit_end_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'audit_end is append-only'; END $$;
CREATE TABLE public.address_epoch (
    address_id character varying(255) NOT NULL,
    epoch integer NOT NULL,
    site character varying(255) NOT NULL,
    at timestamp with time zone NOT NULL,
    raised_by character varying(255) NOT NULL,
    why text NOT NULL,
    job_id character varying(255) NOT NULL
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.application (
    id character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    project_id character varying(255) NOT NULL,
    site character varying(255) NOT NULL,
    metadata_tag character varying(255),
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.application_member (
    application_id character varying(255) NOT NULL,
    server_id character varying(255) NOT NULL,
    server_name character varying(255) NOT NULL,
    boot_order integer NOT NULL,
    quiesce boolean NOT NULL
);
CREATE TABLE public.application_plane (
    id character varying(255) NOT NULL,
    application_id character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    role character varying(255) NOT NULL,
    realised character varying(255) NOT NULL,
    sites json NOT NULL,
    cidr character varying(255),
    why text NOT NULL,
    state character varying(255) NOT NULL,
    stretched_network_id character varying(255),
    made json NOT NULL,
    job_id character varying(255),
    error text,
    created_at timestamp with time zone NOT NULL,
    "left" json DEFAULT '[]'::json NOT NULL
);
CREATE TABLE public.audit (
    id bigint NOT NULL,
    key character varying(255) NOT NULL,
    at timestamp with time zone NOT NULL,
    kind character varying(255) NOT NULL,
    user_name character varying(255) NOT NULL,
    user_id character varying(255),
    project_id character varying(255),
    request_id character varying(255),
    job_id character varying(255),
    subject character varying(255),
    step character varying(255),
    attempt integer,
    undoing boolean NOT NULL,
    site character varying(255),
    service character varying(255),
    method character varying(255) NOT NULL,
    path text NOT NULL,
    action character varying(255),
    resource_id character varying(255)
);
CREATE TABLE public.audit_end (
    key character varying(255) NOT NULL,
    outcome character varying(255) NOT NULL,
    status integer,
    cloud_request_id character varying(255),
    resource_id character varying(255),
    job_id character varying(255),
    project_id character varying(255),
    seconds double precision NOT NULL,
    ended_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_id_seq OWNED BY public.audit.id;
CREATE TABLE public.job (
    id character varying(255) NOT NULL,
    kind character varying(255) NOT NULL,
    title text NOT NULL,
    state character varying(255) NOT NULL,
    project_id character varying(255),
    subject character varying(255),
    requested_by character varying(255) NOT NULL,
    request_id character varying(255),
    params json NOT NULL,
    run integer NOT NULL,
    epoch integer NOT NULL,
    intent character varying(255) NOT NULL,
    cancel_requested boolean NOT NULL,
    settled boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    error text,
    undo_error text,
    worker character varying(255)
);
CREATE TABLE public.journal (
    id bigint NOT NULL,
    job_id character varying(255),
    step character varying(255),
    at timestamp with time zone NOT NULL,
    who character varying(255) NOT NULL,
    message text NOT NULL,
    data json NOT NULL
);
CREATE SEQUENCE public.journal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.journal_id_seq OWNED BY public.journal.id;
CREATE TABLE public.l3_path (
    id character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    project_id character varying(255) NOT NULL,
    ends json NOT NULL,
    protocol character varying(255) NOT NULL,
    port integer,
    state character varying(255) NOT NULL,
    job_id character varying(255) NOT NULL,
    requested_by character varying(255) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    error text
);
CREATE TABLE public.lease (
    name character varying(255) NOT NULL,
    holder character varying(255) NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.moving_address (
    id character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    address character varying(255) NOT NULL,
    project_id character varying(255) NOT NULL,
    members json NOT NULL,
    active_site character varying(255) NOT NULL,
    epoch integer NOT NULL,
    state character varying(255) NOT NULL,
    probe character varying(255) NOT NULL,
    job_id character varying(255) NOT NULL,
    move_job_id character varying(255),
    requested_by character varying(255) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    error text
);
CREATE TABLE public.protection (
    id character varying(255) NOT NULL,
    application_id character varying(255) NOT NULL,
    application character varying(255) NOT NULL,
    project_id character varying(255) NOT NULL,
    method character varying(255) NOT NULL,
    site character varying(255) NOT NULL,
    target_site character varying(255),
    freeze_timeout integer NOT NULL,
    quiesce boolean NOT NULL,
    full_every integer NOT NULL,
    console_mark text,
    snapshot_gap_seconds double precision NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_restore_point character varying(255)
);
CREATE TABLE public.recovery (
    id character varying(255) NOT NULL,
    application character varying(255) NOT NULL,
    project_id character varying(255) NOT NULL,
    restore_point_id character varying(255) NOT NULL,
    target_site character varying(255) NOT NULL,
    state character varying(255) NOT NULL,
    job_id character varying(255) NOT NULL,
    requested_by character varying(255) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    consistent_at timestamp with time zone,
    rto_seconds double precision,
    rpo_seconds double precision,
    servers json NOT NULL,
    mapping json NOT NULL,
    error text
);
CREATE TABLE public.restore_point (
    id character varying(255) NOT NULL,
    application_id character varying(255) NOT NULL,
    application character varying(255) NOT NULL,
    project_id character varying(255) NOT NULL,
    protection_id character varying(255),
    method character varying(255) NOT NULL,
    state character varying(255) NOT NULL,
    incremental boolean NOT NULL,
    parent_id character varying(255),
    created_at timestamp with time zone NOT NULL,
    consistent_at timestamp with time zone,
    frozen_seconds double precision,
    frozen json NOT NULL,
    marks json NOT NULL,
    quiesced boolean NOT NULL,
    size_gib integer,
    digest character varying(255),
    job_id character varying(255),
    error text
);
CREATE TABLE public.site (
    id character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    cloud character varying(255) NOT NULL,
    region character varying(255) NOT NULL,
    auth_url text NOT NULL,
    description text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.slot (
    name character varying(255) NOT NULL,
    number integer NOT NULL,
    worker character varying(255) NOT NULL,
    job_id character varying(255) NOT NULL,
    step character varying(255) NOT NULL
);
CREATE TABLE public.step (
    job_id character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    "position" integer NOT NULL,
    title text NOT NULL,
    state character varying(255) NOT NULL,
    site character varying(255),
    needs json NOT NULL,
    attempt integer NOT NULL,
    interrupted boolean NOT NULL,
    undo_attempt integer NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    done double precision,
    total double precision,
    unit character varying(255) NOT NULL,
    detail text NOT NULL,
    result json,
    error text,
    limit_name character varying(255),
    epoch integer DEFAULT 0 NOT NULL,
    waits text DEFAULT ''::text NOT NULL
);
CREATE TABLE public.stretched_look (
    network_id character varying(255) NOT NULL,
    site character varying(255) NOT NULL,
    seen_at timestamp with time zone,
    tried_at timestamp with time zone NOT NULL,
    error text,
    look json NOT NULL
);
CREATE TABLE public.stretched_network (
    id character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    project_id character varying(255) NOT NULL,
    kind character varying(255) NOT NULL,
    state character varying(255) NOT NULL,
    cidr character varying(255) NOT NULL,
    members json NOT NULL,
    segmentation_id integer,
    mtu integer,
    gateway character varying(255) NOT NULL,
    gateway_site character varying(255),
    dhcp character varying(255) NOT NULL,
    remote_groups character varying(255) NOT NULL,
    port_security boolean NOT NULL,
    job_id character varying(255),
    requested_by character varying(255) NOT NULL,
    error text,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.worker (
    id character varying(255) NOT NULL,
    sessions character varying(255) NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.audit ALTER COLUMN id SET DEFAULT nextval('public.audit_id_seq'::regclass);
ALTER TABLE ONLY public.journal ALTER COLUMN id SET DEFAULT nextval('public.journal_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0007');
INSERT INTO public.job VALUES ('92d62640-6b54-4b6d-b477-ae55af1b1d88', 'old', 'paused', 'paused', 'p', 'net-1', 'alice', NULL, '{"then": "fail"}', 1, 1, 'run', false, true, '2026-11-28 09:03:48.845037+00', '2026-11-28 09:03:48.884281+00', NULL, 'Make b: no room at site a: free some', NULL, 'old-3a442235');
INSERT INTO public.job VALUES ('e6154ba1-b29e-409f-b872-9850c01fe0a9', 'old', 'running', 'running', 'p', 'net-1', 'alice', NULL, '{"then": "wait"}', 1, 1, 'run', false, false, '2026-11-28 09:03:48.935415+00', '2026-11-28 09:03:48.963209+00', NULL, NULL, NULL, 'old-3a442235');
INSERT INTO public.job VALUES ('c0b173ea-d261-4da8-a4b9-98e09649a059', 'old', 'queued', 'queued', 'p', 'net-1', 'alice', NULL, '{"then": "wait"}', 1, 0, 'run', false, false, '2026-11-28 09:03:49.011584+00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.journal VALUES (1, '92d62640-6b54-4b6d-b477-ae55af1b1d88', NULL, '2026-11-28 09:03:48.858854+00', 'alice', 'accepted: paused', '{}');
INSERT INTO public.journal VALUES (2, '92d62640-6b54-4b6d-b477-ae55af1b1d88', 'b', '2026-11-28 09:03:48.914246+00', 'multisite', 'Make b: failed: no room at site a: free some', '{}');
INSERT INTO public.journal VALUES (3, '92d62640-6b54-4b6d-b477-ae55af1b1d88', NULL, '2026-11-28 09:03:48.920993+00', 'multisite', 'paused: Make b: no room at site a: free some', '{}');
INSERT INTO public.journal VALUES (4, 'e6154ba1-b29e-409f-b872-9850c01fe0a9', NULL, '2026-11-28 09:03:48.937642+00', 'alice', 'accepted: running', '{}');
INSERT INTO public.journal VALUES (5, 'c0b173ea-d261-4da8-a4b9-98e09649a059', NULL, '2026-11-28 09:03:49.013237+00', 'alice', 'accepted: queued', '{}');
INSERT INTO public.step VALUES ('92d62640-6b54-4b6d-b477-ae55af1b1d88', 'a', 0, 'Make a', 'done', NULL, '[]', 1, false, 0, '2026-11-28 09:03:48.898129+00', '2026-11-28 09:03:48.903576+00', NULL, NULL, '', '', '{"id": "n1"}', NULL, NULL, 1, '');
INSERT INTO public.step VALUES ('92d62640-6b54-4b6d-b477-ae55af1b1d88', 'b', 1, 'Make b', 'failed', NULL, '["a"]', 1, false, 0, '2026-11-28 09:03:48.909621+00', '2026-11-28 09:03:48.914211+00', NULL, NULL, '', '', 'null', 'no room at site a: free some', NULL, 1, '');
INSERT INTO public.step VALUES ('e6154ba1-b29e-409f-b872-9850c01fe0a9', 'a', 0, 'Make a', 'done', NULL, '[]', 1, false, 0, '2026-11-28 09:03:48.98175+00', '2026-11-28 09:03:48.992219+00', NULL, NULL, '', '', '{"id": "n1"}', NULL, NULL, 1, '');
INSERT INTO public.step VALUES ('e6154ba1-b29e-409f-b872-9850c01fe0a9', 'b', 1, 'Make b', 'running', NULL, '["a"]', 1, false, 0, '2026-11-28 09:03:48.999319+00', NULL, NULL, NULL, '', '', 'null', NULL, NULL, 1, '');
INSERT INTO public.step VALUES ('c0b173ea-d261-4da8-a4b9-98e09649a059', 'a', 0, 'Make a', 'waiting', NULL, '[]', 0, false, 0, NULL, NULL, NULL, NULL, '', '', 'null', NULL, NULL, 0, '');
INSERT INTO public.step VALUES ('c0b173ea-d261-4da8-a4b9-98e09649a059', 'b', 1, 'Make b', 'waiting', NULL, '["a"]', 0, false, 0, NULL, NULL, NULL, NULL, '', '', 'null', NULL, NULL, 0, '');
INSERT INTO public.worker VALUES ('old-3a442235', 'multisite-49a513dd', '2026-11-28 09:03:48.839034+00', '2026-11-28 09:03:48.839034+00', '2026-11-28 09:03:54.839034+00');
SELECT pg_catalog.setval('public.audit_id_seq', 1, false);
SELECT pg_catalog.setval('public.journal_id_seq', 5, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.address_epoch
    ADD CONSTRAINT pk_address_epoch PRIMARY KEY (address_id, epoch);
ALTER TABLE ONLY public.application
    ADD CONSTRAINT pk_application PRIMARY KEY (id);
ALTER TABLE ONLY public.application_member
    ADD CONSTRAINT pk_application_member PRIMARY KEY (application_id, server_id);
ALTER TABLE ONLY public.application_plane
    ADD CONSTRAINT pk_application_plane PRIMARY KEY (id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT pk_audit PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_end
    ADD CONSTRAINT pk_audit_end PRIMARY KEY (key);
ALTER TABLE ONLY public.job
    ADD CONSTRAINT pk_job PRIMARY KEY (id);
ALTER TABLE ONLY public.journal
    ADD CONSTRAINT pk_journal PRIMARY KEY (id);
ALTER TABLE ONLY public.l3_path
    ADD CONSTRAINT pk_l3_path PRIMARY KEY (id);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT pk_lease PRIMARY KEY (name);
ALTER TABLE ONLY public.moving_address
    ADD CONSTRAINT pk_moving_address PRIMARY KEY (id);
ALTER TABLE ONLY public.protection
    ADD CONSTRAINT pk_protection PRIMARY KEY (id);
ALTER TABLE ONLY public.recovery
    ADD CONSTRAINT pk_recovery PRIMARY KEY (id);
ALTER TABLE ONLY public.restore_point
    ADD CONSTRAINT pk_restore_point PRIMARY KEY (id);
ALTER TABLE ONLY public.site
    ADD CONSTRAINT pk_site PRIMARY KEY (id);
ALTER TABLE ONLY public.slot
    ADD CONSTRAINT pk_slot PRIMARY KEY (name, number);
ALTER TABLE ONLY public.step
    ADD CONSTRAINT pk_step PRIMARY KEY (job_id, name);
ALTER TABLE ONLY public.stretched_look
    ADD CONSTRAINT pk_stretched_look PRIMARY KEY (network_id, site);
ALTER TABLE ONLY public.stretched_network
    ADD CONSTRAINT pk_stretched_network PRIMARY KEY (id);
ALTER TABLE ONLY public.worker
    ADD CONSTRAINT pk_worker PRIMARY KEY (id);
ALTER TABLE ONLY public.application
    ADD CONSTRAINT uq_application_name UNIQUE (project_id, name);
ALTER TABLE ONLY public.application_plane
    ADD CONSTRAINT uq_application_plane_name UNIQUE (application_id, name);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT uq_audit_key UNIQUE (key);
ALTER TABLE ONLY public.l3_path
    ADD CONSTRAINT uq_l3_path_name UNIQUE (project_id, name);
ALTER TABLE ONLY public.moving_address
    ADD CONSTRAINT uq_moving_address_address UNIQUE (address);
ALTER TABLE ONLY public.moving_address
    ADD CONSTRAINT uq_moving_address_name UNIQUE (project_id, name);
ALTER TABLE ONLY public.site
    ADD CONSTRAINT uq_site_name UNIQUE (name);
ALTER TABLE ONLY public.stretched_network
    ADD CONSTRAINT uq_stretched_network_name UNIQUE (name);
CREATE INDEX ix_application_plane_application_id ON public.application_plane USING btree (application_id);
CREATE INDEX ix_audit_end_job_id ON public.audit_end USING btree (job_id);
CREATE INDEX ix_audit_job_id ON public.audit USING btree (job_id);
CREATE INDEX ix_audit_project_id_id ON public.audit USING btree (project_id, id);
CREATE INDEX ix_audit_subject ON public.audit USING btree (subject);
CREATE INDEX ix_job_created_at ON public.job USING btree (created_at);
CREATE INDEX ix_job_project_id ON public.job USING btree (project_id);
CREATE INDEX ix_job_settled ON public.job USING btree (settled);
CREATE INDEX ix_job_state ON public.job USING btree (state);
CREATE INDEX ix_job_subject ON public.job USING btree (subject);
CREATE INDEX ix_job_worker ON public.job USING btree (worker);
CREATE INDEX ix_journal_job_id_id ON public.journal USING btree (job_id, id);
CREATE INDEX ix_l3_path_project_id ON public.l3_path USING btree (project_id);
CREATE INDEX ix_moving_address_project_id ON public.moving_address USING btree (project_id);
CREATE INDEX ix_protection_application_id ON public.protection USING btree (application_id);
CREATE INDEX ix_protection_project_id ON public.protection USING btree (project_id);
CREATE INDEX ix_recovery_job_id ON public.recovery USING btree (job_id);
CREATE INDEX ix_recovery_project_id ON public.recovery USING btree (project_id);
CREATE INDEX ix_recovery_restore_point_id ON public.recovery USING btree (restore_point_id);
CREATE INDEX ix_restore_point_application_id ON public.restore_point USING btree (application_id);
CREATE INDEX ix_restore_point_project_id ON public.restore_point USING btree (project_id);
CREATE INDEX ix_slot_worker ON public.slot USING btree (worker);
CREATE INDEX ix_stretched_network_project_id ON public.stretched_network USING btree (project_id);
CREATE INDEX ix_worker_expires_at ON public.worker USING btree (expires_at);
CREATE TRIGGER audit_append_only BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_append_only();
CREATE TRIGGER audit_end_append_only BEFORE DELETE OR UPDATE ON public.audit_end FOR EACH ROW EXECUTE FUNCTION public.audit_end_append_only();
ALTER TABLE ONLY public.address_epoch
    ADD CONSTRAINT fk_address_epoch_address_id FOREIGN KEY (address_id) REFERENCES public.moving_address(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.application_member
    ADD CONSTRAINT fk_application_member_application_id FOREIGN KEY (application_id) REFERENCES public.application(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.application_plane
    ADD CONSTRAINT fk_application_plane_application_id FOREIGN KEY (application_id) REFERENCES public.application(id);
ALTER TABLE ONLY public.application
    ADD CONSTRAINT fk_application_site FOREIGN KEY (site) REFERENCES public.site(name);
ALTER TABLE ONLY public.audit_end
    ADD CONSTRAINT fk_audit_end_key FOREIGN KEY (key) REFERENCES public.audit(key);
ALTER TABLE ONLY public.journal
    ADD CONSTRAINT fk_journal_job_id FOREIGN KEY (job_id) REFERENCES public.job(id);
ALTER TABLE ONLY public.protection
    ADD CONSTRAINT fk_protection_application_id FOREIGN KEY (application_id) REFERENCES public.application(id);
ALTER TABLE ONLY public.slot
    ADD CONSTRAINT fk_slot_worker FOREIGN KEY (worker) REFERENCES public.worker(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.step
    ADD CONSTRAINT fk_step_job_id FOREIGN KEY (job_id) REFERENCES public.job(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.stretched_look
    ADD CONSTRAINT fk_stretched_look_network_id FOREIGN KEY (network_id) REFERENCES public.stretched_network(id) ON DELETE CASCADE;
