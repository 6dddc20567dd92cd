-- Create "accounts" table
CREATE TABLE `accounts` (`id` uuid NOT NULL, `email` text NOT NULL, `password_hash` text NOT NULL, `plan` text NOT NULL DEFAULT ('free'), `operator` bool NOT NULL DEFAULT (false), `active` bool NOT NULL DEFAULT (true), `activation_hash` blob NULL, `activation_until` integer NULL, `matrix_id` text NULL, `api_key_hash` blob NOT NULL, `api_key_sealed` blob NOT NULL, `auth_token_hash` blob NULL, `auth_token_sealed` blob NULL, `trimmed_to` integer NOT NULL DEFAULT (0), `created_at` integer NOT NULL, PRIMARY KEY (`id`));
-- Create index "accounts_email_key" to table: "accounts"
CREATE UNIQUE INDEX `accounts_email_key` ON `accounts` (`email`);
-- Create index "accounts_activation_hash_key" to table: "accounts"
CREATE UNIQUE INDEX `accounts_activation_hash_key` ON `accounts` (`activation_hash`);
-- Create index "accounts_api_key_hash_key" to table: "accounts"
CREATE UNIQUE INDEX `accounts_api_key_hash_key` ON `accounts` (`api_key_hash`);
-- Create index "accounts_auth_token_hash_key" to table: "accounts"
CREATE UNIQUE INDEX `accounts_auth_token_hash_key` ON `accounts` (`auth_token_hash`);
-- Create index "account_created_at_id" to table: "accounts"
CREATE INDEX `account_created_at_id` ON `accounts` (`created_at`, `id`);
-- Create index "account_operator" to table: "accounts"
CREATE INDEX `account_operator` ON `accounts` (`operator`) WHERE operator;
-- Create index "account_activation_until" to table: "accounts"
CREATE INDEX `account_activation_until` ON `accounts` (`activation_until`) WHERE NOT active;
-- Create "api_tokens" table
CREATE TABLE `api_tokens` (`id` uuid NOT NULL, `hash` blob NOT NULL, `comment` text NOT NULL DEFAULT (''), `scopes` json NOT NULL, `created_at` integer NOT NULL, `expires_at` integer NULL, `account_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `api_tokens_accounts_api_tokens` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE NO ACTION);
-- Create index "api_tokens_hash_key" to table: "api_tokens"
CREATE UNIQUE INDEX `api_tokens_hash_key` ON `api_tokens` (`hash`);
-- Create index "apitoken_account_id_created_at_id" to table: "api_tokens"
CREATE INDEX `apitoken_account_id_created_at_id` ON `api_tokens` (`account_id`, `created_at`, `id`);
-- Create "applications" table
CREATE TABLE `applications` (`id` uuid NOT NULL, `name` text NOT NULL, `app_id` text NOT NULL, `app_key` text NOT NULL, `secret_key_sealed` blob NOT NULL, `record` bool NOT NULL DEFAULT (false), `created_at` integer NOT NULL, `account_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `applications_accounts_applications` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE NO ACTION);
-- Create index "applications_app_id_key" to table: "applications"
CREATE UNIQUE INDEX `applications_app_id_key` ON `applications` (`app_id`);
-- Create index "applications_app_key_key" to table: "applications"
CREATE UNIQUE INDEX `applications_app_key_key` ON `applications` (`app_key`);
-- Create index "application_account_id_name" to table: "applications"
CREATE UNIQUE INDEX `application_account_id_name` ON `applications` (`account_id`, `name`);
-- Create "blocks" table
CREATE TABLE `blocks` (`id` uuid NOT NULL, `number` text NOT NULL, `created_at` integer NOT NULL, `account_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `blocks_accounts_blocks` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE NO ACTION);
-- Create index "block_account_id_number" to table: "blocks"
CREATE UNIQUE INDEX `block_account_id_number` ON `blocks` (`account_id`, `number`);
-- Create index "block_account_id_created_at_id" to table: "blocks"
CREATE INDEX `block_account_id_created_at_id` ON `blocks` (`account_id`, `created_at`, `id`);
-- Create "calls" table
CREATE TABLE `calls` (`id` uuid NOT NULL, `conversation_id` uuid NOT NULL, `account_id` uuid NOT NULL, `peer` text NOT NULL, `second` text NOT NULL DEFAULT (''), `transferred` bool NOT NULL DEFAULT (false), `direction` text NOT NULL, `status` text NOT NULL DEFAULT ('queued'), `outcome` text NULL, `reason` text NOT NULL DEFAULT (''), `sip_status` integer NOT NULL DEFAULT (0), `cause` integer NOT NULL DEFAULT (0), `duration` integer NOT NULL DEFAULT (0), `record` bool NOT NULL DEFAULT (false), `mask_id` uuid NULL, `application_id` uuid NULL, `client_key` text NULL, `user_data` text NOT NULL DEFAULT (''), `node` text NOT NULL DEFAULT (''), `created_at` integer NOT NULL, `dialled_at` integer NULL, `ringing_at` integer NULL, `answered_at` integer NULL, `ended_at` integer NULL, `number_id` uuid NULL, PRIMARY KEY (`id`), CONSTRAINT `calls_numbers_calls` FOREIGN KEY (`number_id`) REFERENCES `numbers` (`id`) ON DELETE CASCADE);
-- Create index "call_account_id_created_at_id" to table: "calls"
CREATE INDEX `call_account_id_created_at_id` ON `calls` (`account_id`, `created_at`, `id`);
-- Create index "call_number_id_created_at_id" to table: "calls"
CREATE INDEX `call_number_id_created_at_id` ON `calls` (`number_id`, `created_at`, `id`);
-- Create index "call_conversation_id" to table: "calls"
CREATE INDEX `call_conversation_id` ON `calls` (`conversation_id`);
-- Create index "call_account_id_client_key" to table: "calls"
CREATE UNIQUE INDEX `call_account_id_client_key` ON `calls` (`account_id`, `client_key`);
-- Create index "call_live" to table: "calls"
CREATE INDEX `call_live` ON `calls` (`node`) WHERE ended_at IS NULL;
-- Create "call_records" table
CREATE TABLE `call_records` (`id` integer NOT NULL, `account_id` uuid NOT NULL, `carrier_id` uuid NULL, `foreign_id` text NULL, `calling` text NOT NULL, `called` text NOT NULL, `dialed` text NOT NULL, `direction` text NOT NULL, `way` text NOT NULL, `started_at` integer NOT NULL, `duration` integer NOT NULL, `hangup` text NOT NULL DEFAULT (''), `sound` text NOT NULL DEFAULT (''), `sound_size` integer NOT NULL DEFAULT (0), `call_id` uuid NULL, PRIMARY KEY (`id`), CONSTRAINT `call_records_calls_records` FOREIGN KEY (`call_id`) REFERENCES `calls` (`id`) ON DELETE CASCADE);
-- Create index "record_time" to table: "call_records"
CREATE INDEX `record_time` ON `call_records` (`account_id`, `started_at`, `id`, `direction`, `duration`);
-- Create index "record_duration" to table: "call_records"
CREATE INDEX `record_duration` ON `call_records` (`account_id`, `direction`, `duration`, `started_at`, `id`);
-- Create index "record_calling" to table: "call_records"
CREATE INDEX `record_calling` ON `call_records` (`account_id`, `calling`, `direction`, `started_at`, `id`, `duration`, `called`);
-- Create index "record_called" to table: "call_records"
CREATE INDEX `record_called` ON `call_records` (`account_id`, `called`, `direction`, `started_at`, `id`, `duration`, `calling`);
-- Create index "record_dialed" to table: "call_records"
CREATE INDEX `record_dialed` ON `call_records` (`account_id`, `dialed`, `started_at`, `id`, `direction`, `duration`, `calling`, `called`) WHERE dialed <> called;
-- Create index "callrecord_account_id_foreign_id" to table: "call_records"
CREATE UNIQUE INDEX `callrecord_account_id_foreign_id` ON `call_records` (`account_id`, `foreign_id`);
-- Create index "callrecord_call_id" to table: "call_records"
CREATE UNIQUE INDEX `callrecord_call_id` ON `call_records` (`call_id`);
-- Create "captchas" table
CREATE TABLE `captchas` (`id` uuid NOT NULL, `a` integer NOT NULL, `b` integer NOT NULL, `token` uuid NULL, `solved` bool NOT NULL DEFAULT (false), `expires_at` integer NOT NULL, PRIMARY KEY (`id`));
-- Create index "captchas_token_key" to table: "captchas"
CREATE UNIQUE INDEX `captchas_token_key` ON `captchas` (`token`);
-- Create index "captcha_a_b" to table: "captchas"
CREATE UNIQUE INDEX `captcha_a_b` ON `captchas` (`a`, `b`) WHERE NOT solved;
-- Create index "captcha_expires_at" to table: "captchas"
CREATE INDEX `captcha_expires_at` ON `captchas` (`expires_at`);
-- Create "carrier_links" table
CREATE TABLE `carrier_links` (`id` uuid NOT NULL, `carrier` text NOT NULL, `state` text NOT NULL DEFAULT ('pending'), `key_sealed` blob NOT NULL, `check_hash` blob NOT NULL, `identity` text NOT NULL DEFAULT (''), `every` integer NOT NULL DEFAULT (3600), `node` text NOT NULL DEFAULT (''), `lease_until` integer NULL, `next_at` integer NULL, `tries` integer NOT NULL DEFAULT (0), `problem` text NOT NULL DEFAULT (''), `done` integer NOT NULL DEFAULT (0), `total` integer NOT NULL DEFAULT (0), `added` integer NOT NULL DEFAULT (0), `created_at` integer NOT NULL, `linked_at` integer NULL, `imported_at` integer NULL, `account_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `carrier_links_accounts_carriers` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE NO ACTION);
-- Create index "carrier_links_check_hash_key" to table: "carrier_links"
CREATE UNIQUE INDEX `carrier_links_check_hash_key` ON `carrier_links` (`check_hash`);
-- Create index "carrierlink_account_id_created_at_id" to table: "carrier_links"
CREATE INDEX `carrierlink_account_id_created_at_id` ON `carrier_links` (`account_id`, `created_at`, `id`);
-- Create index "carrierlink_account_id_carrier_identity" to table: "carrier_links"
CREATE UNIQUE INDEX `carrierlink_account_id_carrier_identity` ON `carrier_links` (`account_id`, `carrier`, `identity`) WHERE identity <> '';
-- Create index "carrierlink_next_at" to table: "carrier_links"
CREATE INDEX `carrierlink_next_at` ON `carrier_links` (`next_at`) WHERE next_at IS NOT NULL;
-- Create "contacts" table
CREATE TABLE `contacts` (`id` uuid NOT NULL, `uri` text NOT NULL, `source` text NOT NULL, `transport` text NOT NULL, `user_agent` text NOT NULL DEFAULT (''), `call_id` text NOT NULL, `cseq` integer NOT NULL, `node` text NOT NULL DEFAULT (''), `created_at` integer NOT NULL, `expires_at` integer NULL, `sip_number_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `contacts_sip_numbers_contacts` FOREIGN KEY (`sip_number_id`) REFERENCES `sip_numbers` (`id`) ON DELETE CASCADE);
-- Create index "contact_sip_number_id_uri" to table: "contacts"
CREATE UNIQUE INDEX `contact_sip_number_id_uri` ON `contacts` (`sip_number_id`, `uri`);
-- Create index "contact_expires_at" to table: "contacts"
CREATE INDEX `contact_expires_at` ON `contacts` (`expires_at`);
-- Create "devices" table
CREATE TABLE `devices` (`id` uuid NOT NULL, `token_hash` blob NOT NULL, `token_sealed` blob NOT NULL, `app_id` text NOT NULL, `build` text NOT NULL, `name` text NOT NULL, `locale` text NOT NULL, `created_at` integer NOT NULL, `updated_at` integer NOT NULL, PRIMARY KEY (`id`));
-- Create index "devices_token_hash_key" to table: "devices"
CREATE UNIQUE INDEX `devices_token_hash_key` ON `devices` (`token_hash`);
-- Create "events" table
CREATE TABLE `events` (`id` integer NOT NULL, `account_id` uuid NOT NULL, `kind` text NOT NULL, `number_id` uuid NULL, `message_id` integer NULL, `call_id` uuid NULL, `fact` blob NULL, `created_at` integer NOT NULL, PRIMARY KEY (`id`));
-- Create index "event_account_id_id" to table: "events"
CREATE INDEX `event_account_id_id` ON `events` (`account_id`, `id`);
-- Create index "event_call_id_id" to table: "events"
CREATE INDEX `event_call_id_id` ON `events` (`call_id`, `id`) WHERE call_id IS NOT NULL;
-- Create "followers" table
CREATE TABLE `followers` (`id` uuid NOT NULL, `account_id` uuid NOT NULL, `channel` text NOT NULL, `address` text NOT NULL DEFAULT (''), `room` text NOT NULL DEFAULT (''), `cursor` integer NOT NULL, `tries` integer NOT NULL DEFAULT (0), `problem` text NOT NULL DEFAULT (''), `next_at` integer NULL, `node` text NOT NULL DEFAULT (''), `lease_until` integer NULL, `created_at` integer NOT NULL, `told_at` integer NULL, `device_id` uuid NULL, PRIMARY KEY (`id`), CONSTRAINT `followers_devices_followers` FOREIGN KEY (`device_id`) REFERENCES `devices` (`id`) ON DELETE CASCADE);
-- Create index "follower_account_id_channel_device_id" to table: "followers"
CREATE UNIQUE INDEX `follower_account_id_channel_device_id` ON `followers` (`account_id`, `channel`, `device_id`);
-- Create index "follower_matrix" to table: "followers"
CREATE UNIQUE INDEX `follower_matrix` ON `followers` (`account_id`) WHERE channel = 'matrix';
-- Create index "follower_device_id" to table: "followers"
CREATE INDEX `follower_device_id` ON `followers` (`device_id`);
-- Create index "follower_next_at" to table: "followers"
CREATE INDEX `follower_next_at` ON `followers` (`next_at`) WHERE next_at IS NOT NULL;
-- Create "group_choices" table
CREATE TABLE `group_choices` (`id` integer NOT NULL, `callee` text NOT NULL, `used_at` integer NOT NULL, `number_id` uuid NOT NULL, `group_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `group_choices_numbers_choices` FOREIGN KEY (`number_id`) REFERENCES `numbers` (`id`) ON DELETE CASCADE, CONSTRAINT `group_choices_number_groups_choices` FOREIGN KEY (`group_id`) REFERENCES `number_groups` (`id`) ON DELETE CASCADE);
-- Create index "groupchoice_group_id_callee" to table: "group_choices"
CREATE UNIQUE INDEX `groupchoice_group_id_callee` ON `group_choices` (`group_id`, `callee`);
-- Create index "groupchoice_number_id" to table: "group_choices"
CREATE INDEX `groupchoice_number_id` ON `group_choices` (`number_id`);
-- Create index "groupchoice_used_at" to table: "group_choices"
CREATE INDEX `groupchoice_used_at` ON `group_choices` (`used_at`);
-- Create "idempotency_keys" table
CREATE TABLE `idempotency_keys` (`id` integer NOT NULL, `scope` text NOT NULL, `key` text NOT NULL, `verb` text NOT NULL, `digest` blob NOT NULL, `result` blob NOT NULL, `created_at` integer NOT NULL, PRIMARY KEY (`id`));
-- Create index "idempotencykey_scope_key" to table: "idempotency_keys"
CREATE UNIQUE INDEX `idempotencykey_scope_key` ON `idempotency_keys` (`scope`, `key`);
-- Create index "idempotencykey_created_at" to table: "idempotency_keys"
CREATE INDEX `idempotencykey_created_at` ON `idempotency_keys` (`created_at`);
-- Create "import_marks" table
CREATE TABLE `import_marks` (`id` integer NOT NULL, `service` text NOT NULL, `since` integer NOT NULL, `link_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `import_marks_carrier_links_marks` FOREIGN KEY (`link_id`) REFERENCES `carrier_links` (`id`) ON DELETE CASCADE);
-- Create index "importmark_link_id_service" to table: "import_marks"
CREATE UNIQUE INDEX `importmark_link_id_service` ON `import_marks` (`link_id`, `service`);
-- Create "import_sounds" table
CREATE TABLE `import_sounds` (`id` integer NOT NULL, `name` text NOT NULL, `done` bool NOT NULL DEFAULT (false), `tries` integer NOT NULL DEFAULT (0), `next_at` integer NULL, `link_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `import_sounds_carrier_links_sounds` FOREIGN KEY (`link_id`) REFERENCES `carrier_links` (`id`) ON DELETE CASCADE);
-- Create index "importsound_link_id_name" to table: "import_sounds"
CREATE UNIQUE INDEX `importsound_link_id_name` ON `import_sounds` (`link_id`, `name`);
-- Create "mails" table
CREATE TABLE `mails` (`id` uuid NOT NULL, `account_id` uuid NOT NULL, `address` text NOT NULL, `subject` text NOT NULL, `text_sealed` blob NOT NULL, `tries` integer NOT NULL DEFAULT (0), `problem` text NOT NULL DEFAULT (''), `next_at` integer NOT NULL, `node` text NOT NULL DEFAULT (''), `lease_until` integer NULL, `created_at` integer NOT NULL, `refused_at` integer NULL, PRIMARY KEY (`id`));
-- Create index "mail_next_at" to table: "mails"
CREATE INDEX `mail_next_at` ON `mails` (`next_at`) WHERE refused_at IS NULL;
-- Create index "mail_refused_at" to table: "mails"
CREATE INDEX `mail_refused_at` ON `mails` (`refused_at`) WHERE refused_at IS NOT NULL;
-- Create index "mail_account_id" to table: "mails"
CREATE INDEX `mail_account_id` ON `mails` (`account_id`);
-- Create "masks" table
CREATE TABLE `masks` (`id` uuid NOT NULL, `account_id` uuid NOT NULL, `application_id` uuid NULL, `second_number_id` uuid NULL, `kind` text NOT NULL, `first` text NOT NULL, `second` text NOT NULL DEFAULT (''), `direction` text NOT NULL DEFAULT ('both'), `extension` text NOT NULL DEFAULT (''), `record` bool NOT NULL DEFAULT (false), `user_data` text NOT NULL DEFAULT (''), `created_at` integer NOT NULL, `expires_at` integer NULL, `ended_at` integer NULL, `number_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `masks_numbers_masks` FOREIGN KEY (`number_id`) REFERENCES `numbers` (`id`) ON DELETE CASCADE);
-- Create index "mask_account_id_created_at_id" to table: "masks"
CREATE INDEX `mask_account_id_created_at_id` ON `masks` (`account_id`, `created_at`, `id`);
-- Create index "mask_number_id_created_at" to table: "masks"
CREATE INDEX `mask_number_id_created_at` ON `masks` (`number_id`, `created_at`);
-- Create index "mask_second_number_id" to table: "masks"
CREATE INDEX `mask_second_number_id` ON `masks` (`second_number_id`);
-- Create index "mask_expires_at" to table: "masks"
CREATE INDEX `mask_expires_at` ON `masks` (`expires_at`) WHERE ended_at IS NULL;
-- Create index "mask_ended_at" to table: "masks"
CREATE INDEX `mask_ended_at` ON `masks` (`ended_at`);
-- Create "mask_parties" table
CREATE TABLE `mask_parties` (`id` integer NOT NULL, `party` text NOT NULL, `extension` text NULL, `freed_at` integer NULL, `mask_id` uuid NOT NULL, `number_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `mask_parties_masks_parties` FOREIGN KEY (`mask_id`) REFERENCES `masks` (`id`) ON DELETE CASCADE, CONSTRAINT `mask_parties_numbers_mask_parties` FOREIGN KEY (`number_id`) REFERENCES `numbers` (`id`) ON DELETE CASCADE);
-- Create index "mask_party_taken" to table: "mask_parties"
CREATE UNIQUE INDEX `mask_party_taken` ON `mask_parties` (`number_id`, `party`) WHERE freed_at IS NULL;
-- Create index "mask_extension_taken" to table: "mask_parties"
CREATE UNIQUE INDEX `mask_extension_taken` ON `mask_parties` (`number_id`, `extension`) WHERE freed_at IS NULL;
-- Create index "maskparty_number_id_party_freed_at" to table: "mask_parties"
CREATE INDEX `maskparty_number_id_party_freed_at` ON `mask_parties` (`number_id`, `party`, `freed_at`);
-- Create index "maskparty_mask_id" to table: "mask_parties"
CREATE INDEX `maskparty_mask_id` ON `mask_parties` (`mask_id`);
-- Create index "maskparty_party" to table: "mask_parties"
CREATE INDEX `maskparty_party` ON `mask_parties` (`party`);
-- Create "messages" table
CREATE TABLE `messages` (`id` integer NOT NULL, `from_account` uuid NOT NULL, `from_number_id` uuid NOT NULL, `from_number` text NOT NULL, `from_name` text NOT NULL DEFAULT (''), `to_account` uuid NOT NULL, `to_number_id` uuid NOT NULL, `to_number` text NOT NULL, `kind` text NOT NULL DEFAULT ('text'), `text` blob NULL, `data_id` integer NOT NULL, `content` text NULL, `length` integer NOT NULL DEFAULT (0), `file_name` text NULL, `created_at` integer NOT NULL, `delivered_at` integer NULL, PRIMARY KEY (`id`));
-- Create index "message_to_account_id" to table: "messages"
CREATE INDEX `message_to_account_id` ON `messages` (`to_account`, `id`);
-- Create index "message_from_account_id" to table: "messages"
CREATE INDEX `message_from_account_id` ON `messages` (`from_account`, `id`);
-- Create "numbers" table
CREATE TABLE `numbers` (`id` uuid NOT NULL, `number` text NOT NULL, `alias` text NOT NULL DEFAULT (''), `pin_hash` text NULL, `ability` text NOT NULL DEFAULT ('both'), `source` text NOT NULL DEFAULT ('virtual'), `concurrency` integer NOT NULL DEFAULT (1), `line` text NOT NULL DEFAULT (''), `area_code` text NOT NULL DEFAULT (''), `disabled` bool NOT NULL DEFAULT (false), `read_to` integer NOT NULL DEFAULT (0), `shown_at` integer NULL, `created_at` integer NOT NULL, `updated_at` integer NOT NULL, `account_id` uuid NOT NULL, `device_id` uuid NULL, PRIMARY KEY (`id`), CONSTRAINT `numbers_accounts_numbers` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE NO ACTION, CONSTRAINT `numbers_devices_numbers` FOREIGN KEY (`device_id`) REFERENCES `devices` (`id`) ON DELETE SET NULL);
-- Create index "numbers_number_key" to table: "numbers"
CREATE UNIQUE INDEX `numbers_number_key` ON `numbers` (`number`);
-- Create index "number_account_id_created_at_id" to table: "numbers"
CREATE INDEX `number_account_id_created_at_id` ON `numbers` (`account_id`, `created_at`, `id`);
-- Create index "number_device_id" to table: "numbers"
CREATE INDEX `number_device_id` ON `numbers` (`device_id`);
-- Create "number_groups" table
CREATE TABLE `number_groups` (`id` uuid NOT NULL, `name` text NOT NULL, `policy` text NOT NULL DEFAULT ('sticky'), `created_at` integer NOT NULL, `updated_at` integer NOT NULL, `account_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `number_groups_accounts_groups` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE NO ACTION);
-- Create index "numbergroup_account_id_name" to table: "number_groups"
CREATE UNIQUE INDEX `numbergroup_account_id_name` ON `number_groups` (`account_id`, `name`);
-- Create index "numbergroup_account_id_created_at_id" to table: "number_groups"
CREATE INDEX `numbergroup_account_id_created_at_id` ON `number_groups` (`account_id`, `created_at`, `id`);
-- Create "record_tallies" table
CREATE TABLE `record_tallies` (`id` integer NOT NULL, `account_id` uuid NOT NULL, `line` text NOT NULL, `direction` text NOT NULL, `duration` integer NOT NULL, `n` integer NOT NULL, PRIMARY KEY (`id`));
-- Create index "record_tally" to table: "record_tallies"
CREATE UNIQUE INDEX `record_tally` ON `record_tallies` (`account_id`, `line`, `direction`, `duration`);
-- Create "recordings" table
CREATE TABLE `recordings` (`id` uuid NOT NULL, `account_id` uuid NOT NULL, `status` text NOT NULL DEFAULT ('recording'), `duration` integer NOT NULL DEFAULT (0), `size` integer NOT NULL DEFAULT (0), `node` text NOT NULL DEFAULT (''), `created_at` integer NOT NULL, `ready_at` integer NULL, `call_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `recordings_calls_recordings` FOREIGN KEY (`call_id`) REFERENCES `calls` (`id`) ON DELETE CASCADE);
-- Create index "recording_account_id_created_at_id" to table: "recordings"
CREATE INDEX `recording_account_id_created_at_id` ON `recordings` (`account_id`, `created_at`, `id`);
-- Create index "recording_call_id" to table: "recordings"
CREATE INDEX `recording_call_id` ON `recordings` (`call_id`);
-- Create index "recording_created_at" to table: "recordings"
CREATE INDEX `recording_created_at` ON `recordings` (`created_at`);
-- Create index "recording_live" to table: "recordings"
CREATE INDEX `recording_live` ON `recordings` (`node`) WHERE ready_at IS NULL;
-- Create "retired_numbers" table
CREATE TABLE `retired_numbers` (`number` text NOT NULL, `created_at` integer NOT NULL, PRIMARY KEY (`number`));
-- Create "rings" table
CREATE TABLE `rings` (`id` integer NOT NULL, `number` text NOT NULL, `sip_number_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `rings_sip_numbers_rings` FOREIGN KEY (`sip_number_id`) REFERENCES `sip_numbers` (`id`) ON DELETE CASCADE);
-- Create index "ring_sip_number_id_number" to table: "rings"
CREATE UNIQUE INDEX `ring_sip_number_id_number` ON `rings` (`sip_number_id`, `number`);
-- Create index "ring_number" to table: "rings"
CREATE INDEX `ring_number` ON `rings` (`number`);
-- Create "sessions" table
CREATE TABLE `sessions` (`id` uuid NOT NULL, `kind` text NOT NULL, `node` text NOT NULL, `created_at` integer NOT NULL, `last_seen` integer NOT NULL, `closed_at` integer NULL, `account_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `sessions_accounts_sessions` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE NO ACTION);
-- Create index "session_account_id_created_at_id" to table: "sessions"
CREATE INDEX `session_account_id_created_at_id` ON `sessions` (`account_id`, `created_at`, `id`);
-- Create index "session_open" to table: "sessions"
CREATE INDEX `session_open` ON `sessions` (`created_at`) WHERE closed_at IS NULL;
-- Create "settings" table
CREATE TABLE `settings` (`name` text NOT NULL, `value` blob NOT NULL, PRIMARY KEY (`name`));
-- Create "sip_numbers" table
CREATE TABLE `sip_numbers` (`id` uuid NOT NULL, `number` text NOT NULL, `password_sealed` blob NOT NULL, `secure` bool NOT NULL DEFAULT (false), `alias` text NOT NULL DEFAULT (''), `registered_at` integer NULL, `created_at` integer NOT NULL, `updated_at` integer NOT NULL, `account_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `sip_numbers_accounts_sip_numbers` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE NO ACTION);
-- Create index "sip_numbers_number_key" to table: "sip_numbers"
CREATE UNIQUE INDEX `sip_numbers_number_key` ON `sip_numbers` (`number`);
-- Create index "sipnumber_account_id_created_at_id" to table: "sip_numbers"
CREATE INDEX `sipnumber_account_id_created_at_id` ON `sip_numbers` (`account_id`, `created_at`, `id`);
-- Create "spent_signatures" table
CREATE TABLE `spent_signatures` (`signature` text NOT NULL, `created_at` integer NOT NULL, PRIMARY KEY (`signature`));
-- Create index "spentsignature_created_at" to table: "spent_signatures"
CREATE INDEX `spentsignature_created_at` ON `spent_signatures` (`created_at`);
-- Create "trunks" table
CREATE TABLE `trunks` (`id` uuid NOT NULL, `name` text NOT NULL, `address` text NOT NULL, `transport` text NOT NULL DEFAULT ('udp'), `username` text NOT NULL DEFAULT (''), `password_sealed` blob NULL, `register` bool NOT NULL DEFAULT (false), `prefixes` json NOT NULL, `sources` json NULL, `caller_id` text NOT NULL DEFAULT ('own'), `fixed_caller` text NOT NULL DEFAULT (''), `concurrency` integer NOT NULL DEFAULT (30), `per_minute` integer NOT NULL DEFAULT (120), `disabled` bool NOT NULL DEFAULT (false), `created_at` integer NOT NULL, PRIMARY KEY (`id`));
-- Create index "trunks_name_key" to table: "trunks"
CREATE UNIQUE INDEX `trunks_name_key` ON `trunks` (`name`);
-- Create "application_pool" table
CREATE TABLE `application_pool` (`application_id` uuid NOT NULL, `number_id` uuid NOT NULL, PRIMARY KEY (`application_id`, `number_id`), CONSTRAINT `application_pool_application_id` FOREIGN KEY (`application_id`) REFERENCES `applications` (`id`) ON DELETE CASCADE, CONSTRAINT `application_pool_number_id` FOREIGN KEY (`number_id`) REFERENCES `numbers` (`id`) ON DELETE CASCADE);
-- Create "number_group_numbers" table
CREATE TABLE `number_group_numbers` (`number_group_id` uuid NOT NULL, `number_id` uuid NOT NULL, PRIMARY KEY (`number_group_id`, `number_id`), CONSTRAINT `number_group_numbers_number_group_id` FOREIGN KEY (`number_group_id`) REFERENCES `number_groups` (`id`) ON DELETE CASCADE, CONSTRAINT `number_group_numbers_number_id` FOREIGN KEY (`number_id`) REFERENCES `numbers` (`id`) ON DELETE CASCADE);
