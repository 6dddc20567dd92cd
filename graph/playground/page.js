// The playground: GraphiQL with this server's endpoint, queries by POST and subscriptions by graphql-transport-ws.
(() => {
  const endpoint = new URL(document.body.dataset.endpoint, location.href);
  const socket = new URL(endpoint);
  socket.protocol = endpoint.protocol === 'https:' ? 'wss:' : 'ws:';
  const welcome = `# Switchboard. The schema is described in the Docs pane on the left.
#
# 1. Register once (or log in):
mutation Register {
  register(input: {email: "you@example.com", password: "at least 8 characters"}) {
    token
    userErrors { field message }
  }
}

# 2. Put the token into the Headers pane below: {"Authorization": "Bearer <token>"}
query Me {
  me { id email plan }
  numbers { nodes { id number alias } }
}

# 3. Watch what happens. In another tab send a message, or block a number.
subscription Watch {
  events { cursor kind at }
}
`;
  ReactDOM.createRoot(document.getElementById('graphiql')).render(
    React.createElement(GraphiQL, {
      fetcher: GraphiQL.createFetcher({url: endpoint.href, subscriptionUrl: socket.href}),
      defaultQuery: welcome,
      defaultEditorToolsVisibility: 'headers',
    }),
  );
})();
