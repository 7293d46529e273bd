// Node.js before 22.21 and 24.5 does not know NODE_USE_ENV_PROXY. This script makes
// fetch and the modules http and https of such versions use the proxy of the environment,
// with a CONNECT tunnel for every connection. It changes nothing in newer versions.
'use strict';
const { env, versions } = process;
const [major, minor] = versions.node.split('.').map(Number);
const knowsProxy = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
const proxy = env.HTTPS_PROXY && new URL(env.HTTPS_PROXY);

if (proxy && !knowsProxy) {
  const net = require('node:net');
  const tls = require('node:tls');

  const proxyAddress = {
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: Number(proxy.port) || (proxy.protocol === 'https:' ? 443 : 80),
  };
  const credentials = 'Basic ' + Buffer.from(
    decodeURIComponent(proxy.username) + ':' + decodeURIComponent(proxy.password)).toString('base64');

  // isDirect tells whether host is reached without the proxy: NO_PROXY names it, or it is
  // the proxy itself, to which a library connects that supports proxies.
  const noProxy = (env.NO_PROXY || '').split(',').map((h) => h.trim()).filter(Boolean);
  const isDirect = (host, port) =>
    (host === proxyAddress.host && Number(port) === proxyAddress.port) ||
    noProxy.some((d) => d === '*' || host === d || host.endsWith(d.startsWith('.') ? d : '.' + d));

  // openTunnel calls back with an error, or with a socket on which host:port answers.
  const openTunnel = (host, port, done) => {
    const literal = net.isIPv6(host) ? `[${host}]` : host;
    const socket = proxy.protocol === 'https:'
      ? tls.connect({ ...proxyAddress, servername: net.isIP(proxyAddress.host) ? '' : proxyAddress.host })
      : net.connect(proxyAddress);
    const fail = (error) => { socket.destroy(); done(error); };
    const failClosed = () => fail(new Error('the proxy closed the connection'));

    // The answer is read byte by byte: what follows it belongs to the tunnel.
    let head = '';
    const readHead = () => {
      for (let chunk; (chunk = socket.read(1)) !== null;) {
        head += chunk.toString('latin1');
        if (head.endsWith('\r\n\r\n')) {
          socket.removeListener('readable', readHead);
          socket.removeListener('error', fail);
          socket.removeListener('end', failClosed);
          if (/^HTTP\/1\.[01] 200 /.test(head)) return done(null, socket);
          return failRefused();
        }
        if (head.length > 65536) return fail(new Error('the proxy sent no answer to CONNECT'));
      }
    };

    // failRefused reads the body of a refusal, which tells the user of the program why.
    const failRefused = () => {
      let body = '';
      const report = () => fail(new Error(`the proxy refused ${host}:${port}: ${head.split('\r\n')[0].slice(9)}: ${body.trim()}`));
      const length = Number((/\r\ncontent-length: *(\d+)/i.exec(head) || [])[1] || 0);
      socket.on('data', (c) => { body += c; if (body.length >= length) report(); });
      socket.once('end', report);
      socket.once('error', report);
      if (length === 0) report();
    };

    socket.once('error', fail);
    socket.once('end', failClosed);
    socket.on('readable', readHead);
    socket.write(`CONNECT ${literal}:${port} HTTP/1.1\r\nHost: ${literal}:${port}\r\nProxy-Authorization: ${credentials}\r\n\r\n`);
  };

  // connect does what net.connect or tls.connect does, through a tunnel unless the host is
  // reached directly.
  const connect = (secure, options, done) => {
    const host = (options.hostname || options.host || 'localhost').replace(/^\[|\]$/g, '');
    const port = options.port || (secure ? 443 : 80);

    const addTLS = (error, socket) => {
      if (error) return done(error);
      if (!secure) return done(null, socket);
      const secured = tls.connect({
        ...options,
        path: undefined,
        socket,
        host,
        port,
        servername: options.servername || (net.isIP(host) ? '' : host),
        ALPNProtocols: ['http/1.1'],
      });
      secured.once('error', done);
      secured.once('secureConnect', () => { secured.removeListener('error', done); done(null, secured); });
    };

    if (!isDirect(host, port)) return openTunnel(host, port, addTLS);
    const socket = net.connect({ host, port });
    socket.once('error', done);
    socket.once('connect', () => { socket.removeListener('error', done); addTLS(null, socket); });
  };

  const replaceAgent = (module, secure) => {
    const agent = new module.Agent({ keepAlive: true });
    agent.createConnection = (options, done) => { connect(secure, options, done); };
    module.globalAgent = agent;
  };
  replaceAgent(require('node:http'), false);
  replaceAgent(require('node:https'), true);

  // fetch keeps its dispatcher in this slot once one of its classes was used. Its class
  // builds a dispatcher that connects as above.
  const slot = Symbol.for('undici.globalDispatcher.1');
  void globalThis.Headers;
  const current = globalThis[slot];
  if (current && typeof current.constructor === 'function' && typeof current.dispatch === 'function') {
    const dispatcher = new current.constructor({ connect: (options, done) => connect(options.protocol === 'https:', options, done) });
    Object.defineProperty(globalThis, slot, { value: dispatcher, writable: true, enumerable: false, configurable: false });
  }
}
