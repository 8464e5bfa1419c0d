//! The SMTP server behind the mailbox: takes every mail and delivers none.

use std::{borrow::Cow, sync::Arc};

use anyhow::Result;
use smtp_proto::{
    Error, Request,
    request::receiver::{DataReceiver, RequestReceiver},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A mail as it came over the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Whom the envelope names as sender.
    pub from: String,
    /// Whom the envelope names as recipients.
    pub to: Vec<String>,
    /// The message, header and body.
    pub message: Vec<u8>,
}

/// Serves SMTP until the task is dropped; each mail goes to `deliver`.
pub async fn serve(listener: TcpListener, deliver: Arc<dyn Fn(Delivery) + Send + Sync>) {
    while let Ok((stream, _)) = listener.accept().await {
        let deliver = Arc::clone(&deliver);
        tokio::spawn(async move {
            // A client that hangs up mid-way has sent nothing.
            let _ = converse(stream, &*deliver).await;
        });
    }
}

async fn converse(mut stream: TcpStream, deliver: &(dyn Fn(Delivery) + Send + Sync)) -> Result<()> {
    let mut dialogue = Dialogue::default();
    let mut buffer = vec![0; 64 * 1024];
    stream.write_all(b"220 slipstream mailbox\r\n").await?;
    while !dialogue.over {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            break;
        }
        let replies = dialogue.take(&buffer[..length], deliver);
        stream.write_all(replies.as_bytes()).await?;
    }
    Ok(())
}

/// One client's dialogue: bytes in, replies out.
#[derive(Default)]
struct Dialogue {
    commands: RequestReceiver,
    /// Set between `DATA` and the dot.
    data: Option<DataReceiver>,
    mail: Delivery,
    over: bool,
}

impl Dialogue {
    fn take(&mut self, bytes: &[u8], deliver: &dyn Fn(Delivery)) -> String {
        let mut replies = String::new();
        let mut bytes = bytes.iter();
        while !self.over {
            if let Some(mut data) = self.data.take() {
                if !data.ingest(&mut bytes, &mut self.mail.message) {
                    self.data = Some(data);
                    break;
                }
                deliver(std::mem::take(&mut self.mail));
                replies.push_str("250 kept in the mailbox\r\n");
                continue;
            }
            // The request borrows the receiver, the dialogue needs it back.
            let request = self.commands.ingest(&mut bytes).map(own);
            match request {
                Err(Error::NeedsMoreData { .. }) => break,
                Err(_) => replies.push_str("500 not understood\r\n"),
                Ok(command) => replies.push_str(self.answer(command)),
            }
        }
        replies
    }

    fn answer(&mut self, command: Command) -> &'static str {
        match command {
            Command::Hello => "250 slipstream\r\n",
            Command::ExtendedHello => "250-slipstream\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            Command::From(address) => {
                self.mail = Delivery { from: address, ..Delivery::default() };
                "250 ok\r\n"
            }
            Command::To(address) => {
                self.mail.to.push(address);
                "250 ok\r\n"
            }
            Command::Data if self.mail.to.is_empty() => "503 no recipients\r\n",
            Command::Data => {
                self.data = Some(DataReceiver::new());
                "354 go on, end with a dot\r\n"
            }
            Command::Reset => {
                self.mail = Delivery::default();
                "250 ok\r\n"
            }
            Command::Nothing => "250 ok\r\n",
            Command::Quit => {
                self.over = true;
                "221 bye\r\n"
            }
            Command::Other => "502 not offered\r\n",
        }
    }
}

/// What of a request matters here, owned.
enum Command {
    Hello,
    ExtendedHello,
    From(String),
    To(String),
    Data,
    Reset,
    Nothing,
    Quit,
    Other,
}

fn own(request: Request<Cow<'_, str>>) -> Command {
    match request {
        Request::Helo { .. } => Command::Hello,
        Request::Ehlo { .. } => Command::ExtendedHello,
        Request::Mail { from } => Command::From(from.address.into_owned()),
        Request::Rcpt { to } => Command::To(to.address.into_owned()),
        Request::Data => Command::Data,
        Request::Rset => Command::Reset,
        Request::Noop { .. } => Command::Nothing,
        Request::Quit => Command::Quit,
        _ => Command::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn talk(pieces: &[&[u8]]) -> (String, Vec<Delivery>) {
        let mails = Mutex::new(Vec::new());
        let mut dialogue = Dialogue::default();
        let deliver = |mail| mails.lock().unwrap().push(mail);
        let replies = pieces.iter().map(|piece| dialogue.take(piece, &deliver)).collect();
        (replies, mails.into_inner().unwrap())
    }

    const MAIL: &[u8] =
        b"EHLO me\r\nMAIL FROM:<a@example.com> SIZE=10\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\n\
        DATA\r\nSubject: hi\r\n\r\n..dot\r\nlast\r\n.\r\nQUIT\r\n";

    #[test]
    fn a_mail_comes_out_as_it_went_in_however_the_bytes_are_cut() {
        let whole = talk(&[MAIL]);
        let expected = Delivery {
            from: "a@example.com".to_owned(),
            to: vec!["b@example.com".to_owned(), "c@example.com".to_owned()],
            message: b"Subject: hi\r\n\r\n.dot\r\nlast\r\n".to_vec(),
        };
        assert_eq!(whole.1, [expected]);
        for cut in 1..MAIL.len() {
            assert_eq!(talk(&[&MAIL[..cut], &MAIL[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn data_without_recipients_is_refused() {
        let (replies, mails) = talk(&[b"HELO me\r\nDATA\r\nNOOP\r\n"]);
        assert_eq!(replies, "250 slipstream\r\n503 no recipients\r\n250 ok\r\n");
        assert!(mails.is_empty());
    }
}
