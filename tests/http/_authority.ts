/** A certificate authority of the tests' own. */
// @peculiar/x509 needs the first import.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { Buffer } from "node:buffer";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly pem: string;
  issue(name: string, usage: string, names?: x509.JsonGeneralNames): Promise<Certificate>;
}

export async function makeAuthority(name: string): Promise<Authority> {
  const hour = 3_600_000;
  const validity = {
    notBefore: new Date(Date.now() - hour),
    notAfter: new Date(Date.now() + hour),
  };
  const keys = await generateKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: `CN=${name}`,
    ...validity,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  let serial = 1;
  return {
    pem: root.toString("pem"),
    async issue(subject, usage, names) {
      const { publicKey, privateKey } = await generateKeys();
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: `0${++serial}`,
        subject: `CN=${subject}`,
        issuer: root.subject,
        ...validity,
        signingAlgorithm: algorithm,
        publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.ExtendedKeyUsageExtension([usage]),
          ...(names === undefined ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
        ],
      });
      return { cert: certificate.toString("pem"), key: await toPem(privateKey) };
    },
  };
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}

async function toPem(key: CryptoKey): Promise<string> {
  const base64 = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  const lines = base64.match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}

/** A certificate for a server on this host. */
export function issueForLocalhost(authority: Authority): Promise<Certificate> {
  return authority.issue("localhost", x509.ExtendedKeyUsage.serverAuth, [
    { type: "dns", value: "localhost" },
    { type: "ip", value: "127.0.0.1" },
  ]);
}

/** A certificate for a client. */
export function issueForClient(authority: Authority): Promise<Certificate> {
  return authority.issue("operator", x509.ExtendedKeyUsage.clientAuth);
}
