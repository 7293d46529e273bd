// Node.js before 22.21 and 24.5 has no NODE_USE_ENV_PROXY: this gives its
// fetch and its http and https modules the proxy of the environment. Every
// connection is a CONNECT tunnel. Newer ones are left as they are.
'use strict';
const { env, versions } = process;
const [major, minor] = versions.node.split('.').map(Number);
const native = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
const proxy = env.HTTPS_PROXY && new URL(env.HTTPS_PROXY);

if (proxy && !native) {
  const net = require('node:net');
  const tls = require('node:tls');
  const direct = (env.NO_PROXY || '').split(',').map((h) => h.trim()).filter(Boolean);
  const at = { host: proxy.hostname.replace(/^\[|\]$/g, ''), port: Number(proxy.port) || (proxy.protocol === 'https:' ? 443 : 80) };
  const isDirect = (host, port) => (host === at.host && Number(port) === at.port) || // a library that speaks to the proxy by itself
    direct.some((d) => d === '*' || host === d || host.endsWith(d.startsWith('.') ? d : '.' + d));
  const credentials = 'Basic ' + Buffer.from(
    decodeURIComponent(proxy.username) + ':' + decodeURIComponent(proxy.password)).toString('base64');

  // tunnel calls back with a socket on which host:port answers.
  const tunnel = (host, port, done) => {
    const literal = net.isIPv6(host) ? `[${host}]` : host;
    const socket = proxy.protocol === 'https:' ? tls.connect({ ...at, servername: net.isIP(at.host) ? '' : at.host }) : net.connect(at);
    const failed = (error) => { socket.destroy(); done(error); };
    let head = '';
    const read = () => {
      for (let chunk; (chunk = socket.read(1)) !== null;) {
        head += chunk.toString('latin1');
        if (head.endsWith('\r\n\r\n')) {
          socket.removeListener('readable', read);
          socket.removeListener('error', failed);
          socket.removeListener('end', broke);
          if (/^HTTP\/1\.[01] 200 /.test(head)) return done(null, socket);
          return refused();
        }
        if (head.length > 65536) return failed(new Error('the proxy sent no answer to CONNECT'));
      }
    };
    // refused reads the reason, which is written for whoever runs the program.
    const refused = () => {
      let body = '';
      const tell = () => failed(new Error(`the proxy refused ${host}:${port}: ${head.split('\r\n')[0].slice(9)}: ${body.trim()}`));
      const left = Number((/\r\ncontent-length: *(\d+)/i.exec(head) || [])[1] || 0);
      socket.on('data', (c) => { body += c; if (body.length >= left) tell(); });
      socket.once('end', tell);
      socket.once('error', tell);
      if (left === 0) tell();
    };
    const broke = () => failed(new Error('the proxy closed the connection'));
    socket.once('error', failed);
    socket.once('end', broke);
    socket.on('readable', read);
    socket.write(`CONNECT ${literal}:${port} HTTP/1.1\r\nHost: ${literal}:${port}\r\nProxy-Authorization: ${credentials}\r\n\r\n`);
  };

  // connect is net.connect or tls.connect through the tunnel.
  const connect = (secure, options, done) => {
    const host = (options.hostname || options.host || 'localhost').replace(/^\[|\]$/g, '');
    const port = options.port || (secure ? 443 : 80);
    const over = (error, socket) => {
      if (error) return done(error);
      if (!secure) return done(null, socket);
      const secured = tls.connect({ ...options, path: undefined, socket, host, port, servername: options.servername || (net.isIP(host) ? '' : host),
        ALPNProtocols: ['http/1.1'] });
      secured.once('error', done);
      secured.once('secureConnect', () => { secured.removeListener('error', done); done(null, secured); });
    };
    if (!isDirect(host, port)) return tunnel(host, port, over);
    const socket = net.connect({ host, port });
    socket.once('error', done);
    socket.once('connect', () => { socket.removeListener('error', done); over(null, socket); });
  };

  const agent = (module, secure) => {
    const made = new module.Agent({ keepAlive: true });
    made.createConnection = (options, done) => { connect(secure, options, done); };
    module.globalAgent = made;
  };
  agent(require('node:http'), false);
  agent(require('node:https'), true);

  // fetch has its dispatcher in this slot once its first class was touched; the
  // dispatcher's own class makes one that connects as above.
  const slot = Symbol.for('undici.globalDispatcher.1');
  void globalThis.Headers;
  const standing = globalThis[slot];
  if (standing && typeof standing.constructor === 'function' && typeof standing.dispatch === 'function') {
    const made = new standing.constructor({ connect: (options, done) => connect(options.protocol === 'https:', options, done) });
    Object.defineProperty(globalThis, slot, { value: made, writable: true, enumerable: false, configurable: false });
  }
}
