import assert from 'node:assert/strict';
import {createClient} from 'graphql-sse';
import {authorization, cut, here, Inbox, received, send, texts, url} from './world.mjs';

let connects = 0;
const client = createClient({url, headers: () => (connects++, authorization), retryAttempts: 5, retry: async () => {}});
const once = payload => new Promise((next, error) => client.subscribe(payload, {next, error, complete() {}}));

assert.equal((await once({query: '{ me { email } }'})).data.me.email, 'p1@example.com');
const refused = await once({query: '{ nothing }'});
assert.equal(refused.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
const badCursor = await once({query: received, variables: {after: 'no cursor'}});
assert.equal(badCursor.errors[0].extensions.code, 'BAD_CURSOR');

// A stream ends with `complete` for a query.
let completed = false;
for await (const result of client.iterate({query: '{ __typename }'})) {
  assert.equal(result.data.__typename, 'Query');
  completed = true;
}
assert.ok(completed);

// A stream that is cut off is opened again, behind the last cursor.
const inbox = new Inbox();
const payload = {query: received, variables: {after: await here()}};
const before = connects;
const stop = client.subscribe(payload, {
  next(r) {
    payload.variables.after = r.data.messageReceived.cursor;
    inbox.put(r);
  },
  error: e => assert.fail(e),
  complete() {},
});
await send('one');
await inbox.until(1);
await cut();
await send('two');
await send('three');
await inbox.until(3);
assert.deepEqual(texts(inbox), ['one', 'two', 'three']);
assert.ok(connects >= before + 2, 'it reconnected');
stop();
