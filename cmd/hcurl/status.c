#include "status.h"

#include <stddef.h>

static const int of_fault[] = {
    [HTTP_FAULT_NONE] = STATUS_OK,
    [HTTP_FAULT_SCHEME] = STATUS_SCHEME,
    [HTTP_FAULT_URL] = STATUS_URL,
    [HTTP_FAULT_RESOLVE_PROXY] = STATUS_RESOLVE_PROXY,
    [HTTP_FAULT_RESOLVE] = STATUS_RESOLVE,
    [HTTP_FAULT_CONNECT] = STATUS_CONNECT,
    [HTTP_FAULT_VERSION] = STATUS_SCHEME,
    [HTTP_FAULT_REPLY] = STATUS_REPLY,
    [HTTP_FAULT_PARTIAL] = STATUS_PARTIAL,
    [HTTP_FAULT_STATUS] = STATUS_HTTP,
    [HTTP_FAULT_WRITE] = STATUS_WRITE,
    [HTTP_FAULT_READ] = STATUS_READ,
    [HTTP_FAULT_MEMORY] = STATUS_MEMORY,
    [HTTP_FAULT_TIMEOUT] = STATUS_TIMEOUT,
    [HTTP_FAULT_RANGE] = STATUS_RANGE,
    [HTTP_FAULT_TLS] = STATUS_TLS,
    [HTTP_FAULT_CANCELLED] = STATUS_CANCELLED,
    [HTTP_FAULT_REDIRECTS] = STATUS_REDIRECTS,
    [HTTP_FAULT_EMPTY] = STATUS_EMPTY,
    [HTTP_FAULT_SEND] = STATUS_SEND,
    [HTTP_FAULT_RECEIVE] = STATUS_RECEIVE,
    [HTTP_FAULT_CERTIFICATE] = STATUS_CERTIFICATE,
    [HTTP_FAULT_PIN] = STATUS_PIN,
    [HTTP_FAULT_CODING] = STATUS_CODING,
    [HTTP_FAULT_SIZE] = STATUS_SIZE,
    [HTTP_FAULT_REWIND] = STATUS_REWIND,
    [HTTP_FAULT_PROXY] = STATUS_PROXY,
    [HTTP_FAULT_LOGIN] = STATUS_LOGIN,
    [HTTP_FAULT_CA_FILE] = STATUS_CA_FILE,
    [HTTP_FAULT_CLIENT_CERT] = STATUS_CLIENT_CERTIFICATE,
    [HTTP_FAULT_CIPHERS] = STATUS_CIPHER,
    [HTTP_FAULT_CRL] = STATUS_CRL_FILE,
    [HTTP_FAULT_UPLOAD] = STATUS_UPLOAD,
    [HTTP_FAULT_TOO_LARGE] = STATUS_TOO_LARGE,
    [HTTP_FAULT_USAGE] = STATUS_ARGUMENT,
};

static const struct {
    int status;
    const char *words;
} meanings[] = {
    {STATUS_OK, "no error"},
    {STATUS_SCHEME, "this scheme is not supported"},
    {STATUS_USAGE, "the command line cannot be carried out"},
    {STATUS_URL, "the URL is malformed"},
    {STATUS_NOT_BUILT_IN, "this feature is not in this program"},
    {STATUS_RESOLVE_PROXY, "the proxy's name could not be resolved"},
    {STATUS_RESOLVE, "the host's name could not be resolved"},
    {STATUS_CONNECT, "the server could not be connected to"},
    {STATUS_REPLY, "the server's answer is not HTTP"},
    {STATUS_PARTIAL, "the transfer ended before all of it had come"},
    {STATUS_HTTP, "the server answered with an error"},
    {STATUS_WRITE, "what was received could not be written"},
    {STATUS_UPLOAD, "the upload cannot be made"},
    {STATUS_READ, "what is to be sent could not be read"},
    {STATUS_MEMORY, "out of memory"},
    {STATUS_TIMEOUT, "the time is up"},
    {STATUS_RANGE, "the server does not send ranges"},
    {STATUS_TLS, "the TLS handshake failed"},
    {STATUS_RESUME, "the download cannot be resumed"},
    {STATUS_READ_FILE, "a file could not be read"},
    {STATUS_CANCELLED, "the transfer was given up"},
    {STATUS_ARGUMENT, "what was asked for cannot be sent"},
    {STATUS_INTERFACE, "the interface or local address cannot be used"},
    {STATUS_REDIRECTS, "too many redirects"},
    {STATUS_OPTION, "an option is not known"},
    {STATUS_OPTION_SYNTAX, "an option's value is malformed"},
    {STATUS_EMPTY, "the server closed the connection without an answer"},
    {STATUS_ENGINE, "there is no such crypto engine"},
    {STATUS_SEND, "sending failed"},
    {STATUS_RECEIVE, "receiving failed"},
    {STATUS_CLIENT_CERTIFICATE, "the client certificate cannot be used"},
    {STATUS_CIPHER, "none of these ciphers can be used"},
    {STATUS_CERTIFICATE, "the server's certificate was not accepted"},
    {STATUS_CODING, "the content coding is malformed or not known"},
    {STATUS_SIZE, "the file is larger than allowed"},
    {STATUS_REWIND, "the data cannot be sent a second time"},
    {STATUS_LOGIN, "the server refused the login"},
    {STATUS_EXISTS, "the file exists already"},
    {STATUS_CA_FILE, "the CA certificates could not be read"},
    {STATUS_CRL_FILE, "the revocation list could not be read"},
    {STATUS_ISSUER, "the certificate's issuer was not accepted"},
    {STATUS_PIN, "the server's public key is not the pinned one"},
    {STATUS_OCSP, "the certificate's status is not valid"},
    {STATUS_AUTH, "the credentials could not be made"},
    {STATUS_PROXY, "the proxy refused"},
    {STATUS_TOO_LARGE, "a value is larger than its maximum"},
    {STATUS_CHECKSUM, "the checksum is not as expected"},
};

int status_of_fault(http_fault_e fault)
{
    if ((size_t)fault >= sizeof(of_fault) / sizeof(of_fault[0]))
        return STATUS_ARGUMENT;
    return of_fault[fault];
}

const char *status_words(int status)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].status == status)
            return meanings[i].words;
    return "unknown error";
}
