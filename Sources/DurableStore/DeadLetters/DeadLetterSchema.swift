/// Tables of what operators do about dead letters.
enum DeadLetterSchema {
    /// The journal of acts, which can only grow; jobs that send many letters back, and what became of each of them.
    static let actsAndJobs = """
        CREATE TABLE dead_letter_acts (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            letter_id TEXT,
            job_id TEXT,
            verb TEXT NOT NULL CHECK (verb IN ('requeue', 'edit', 'discard', 'restore', 'purge', 'start-job',
                'cancel-job', 'stop-job', 'finish-job')),
            actor TEXT NOT NULL,
            reason TEXT,
            outcome TEXT NOT NULL,
            detail TEXT,
            at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX dead_letter_acts_letter ON dead_letter_acts(letter_id, seq) WHERE letter_id IS NOT NULL;
        CREATE INDEX dead_letter_acts_job ON dead_letter_acts(job_id, seq) WHERE job_id IS NOT NULL;
        CREATE TRIGGER dead_letter_acts_no_update BEFORE UPDATE ON dead_letter_acts
        BEGIN SELECT RAISE(ABORT, 'the journal of acts can only grow'); END;
        CREATE TRIGGER dead_letter_acts_no_delete BEFORE DELETE ON dead_letter_acts
        BEGIN SELECT RAISE(ABORT, 'the journal of acts can only grow'); END;
        CREATE INDEX dead_letters_failed ON dead_letters(failed_at, id);
        CREATE INDEX dead_letters_previous ON dead_letters(previous_id) WHERE previous_id IS NOT NULL;
        CREATE INDEX dead_letters_edited ON dead_letters(edited_from) WHERE edited_from IS NOT NULL;
        CREATE TABLE dead_letter_jobs (
            id TEXT NOT NULL PRIMARY KEY,
            selection TEXT NOT NULL,
            actor TEXT NOT NULL,
            reason TEXT,
            rate_per_minute INTEGER CHECK (rate_per_minute >= 1),
            failure_percent INTEGER NOT NULL CHECK (failure_percent BETWEEN 0 AND 100),
            settle_ms INTEGER NOT NULL CHECK (settle_ms >= 0),
            state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'stopped', 'cancelled')),
            detail TEXT,
            total INTEGER NOT NULL CHECK (total >= 0),
            batch INTEGER NOT NULL DEFAULT 1 CHECK (batch >= 1),
            started_at INTEGER NOT NULL,
            last_sent_at INTEGER,
            ended_at INTEGER,
            CHECK ((state = 'running') = (ended_at IS NULL))
        ) STRICT;
        CREATE UNIQUE INDEX dead_letter_jobs_running ON dead_letter_jobs(state) WHERE state = 'running';
        CREATE TABLE dead_letter_job_items (
            job_id TEXT NOT NULL REFERENCES dead_letter_jobs(id),
            position INTEGER NOT NULL,
            letter_id TEXT NOT NULL,
            batch INTEGER,
            outcome TEXT,
            code TEXT,
            PRIMARY KEY (job_id, position),
            CHECK ((batch IS NULL) = (outcome IS NULL))
        ) STRICT, WITHOUT ROWID;
        """
}
