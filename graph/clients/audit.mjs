// All audits of the GraphQL over HTTP specification, MUST, SHOULD and MAY.
import assert from 'node:assert/strict';
import {auditServer} from 'graphql-http';
import {url} from './world.mjs';

const results = await auditServer({url});
const failed = results.filter(r => r.status !== 'ok').map(r => `${r.id} ${r.name}: ${r.reason}`);
assert.deepEqual(failed, []);
assert.equal(results.length, 61);
