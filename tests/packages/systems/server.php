<?php
// WebSockets by PHP's own streams: Debian has no package of PHP for them. Sends everything
// back, one connection after the other.

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 1, CLOSE = 8, PING = 9, PONG = 10;

$server = stream_socket_server("tcp://127.0.0.1:0");
$address = stream_socket_get_name($server, false);
echo "listening ", substr($address, strrpos($address, ":") + 1), "\n";
while ($stream = stream_socket_accept($server, -1)) {
    handshake($stream);
    while ($frame = receive($stream)) {
        [$opcode, $payload] = $frame;
        if ($opcode === CLOSE) {
            $code = strlen($payload) > 1 ? unpack("n", $payload)[1] : 1005;
            echo "closed $code ", substr($payload, 2), "\n";
            send($stream, CLOSE, $payload);
            break;
        }
        if ($opcode === PING) send($stream, PONG, $payload);
        elseif ($opcode === PONG) send($stream, TEXT, "pong");
        elseif ($payload === "ping") send($stream, PING, "p");
        elseif ($payload === "close") send($stream, CLOSE, pack("n", 4001) . "réason");
        else send($stream, $opcode, $payload);
    }
    fclose($stream);
}

function handshake($stream): void
{
    $key = "";
    while (($line = rtrim(fgets($stream))) !== "") {
        if (preg_match("/^sec-websocket-key: *(.*)$/i", $line, $found)) $key = $found[1];
    }
    $accept = base64_encode(sha1($key . GUID, true));
    write($stream, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" .
        "Connection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\n");
}

// A message's opcode and payload, put together from its fragments; null at the end.
function receive($stream): ?array
{
    $message = "";
    $kind = 0;
    while (($head = read($stream, 2)) !== null) {
        [$first, $second] = array_values(unpack("C2", $head));
        $length = $second & 127;
        if ($length === 126) $length = unpack("n", read($stream, 2))[1];
        elseif ($length === 127) $length = unpack("J", read($stream, 8))[1];
        $mask = read($stream, 4);
        $payload = $length > 0 ? read($stream, $length) : "";
        $payload ^= str_repeat($mask, intdiv($length, 4) + 1);
        $opcode = $first & 15;
        if ($opcode >= CLOSE) return [$opcode, $payload];
        $kind = $opcode ?: $kind;
        $message .= $payload;
        if ($first & 128) return [$kind, $message];
    }
    return null;
}

function send($stream, int $opcode, string $payload): void
{
    $length = strlen($payload);
    $head = chr(128 | $opcode);
    if ($length < 126) $head .= chr($length);
    elseif ($length < 65536) $head .= chr(126) . pack("n", $length);
    else $head .= chr(127) . pack("J", $length);
    write($stream, $head . $payload);
}

function read($stream, int $length): ?string
{
    $bytes = "";
    while (strlen($bytes) < $length) {
        $part = fread($stream, $length - strlen($bytes));
        if ($part === false || $part === "") return null;
        $bytes .= $part;
    }
    return $bytes;
}

function write($stream, string $bytes): void
{
    while ($bytes !== "") $bytes = substr($bytes, fwrite($stream, $bytes));
}
